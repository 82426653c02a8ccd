from pathlib import Path

from omniroute_addon.ledger import calls
from omniroute_addon.ledger.reports import books
from omniroute_addon.web.lines import plain
from tests.omniroute_addon.web.seeding import seed


def test_money_is_in_dollars_and_marks_are_told(tmp_path: Path) -> None:
    with books(seed(tmp_path / "ledger.db", 5)) as found:
        lines = calls.before(found, None, 5)
    shown = [plain(line) for line in lines]
    assert [one.cost for one in shown] == [line.micro / 1e6 for line in lines if line.micro is not None]
    assert shown[1].marks == ("fallback",)
