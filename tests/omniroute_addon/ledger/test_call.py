from pathlib import Path

from omniroute_addon.ledger import calls
from omniroute_addon.ledger.call import read
from omniroute_addon.ledger.reports import books
from tests.omniroute_addon.web.seeding import seed


def test_a_call_has_its_attempts_in_order_its_decision_and_what_was_lost(tmp_path: Path) -> None:
    with books(seed(tmp_path / "ledger.db", 15)) as found:
        first, fallback = calls.before(found, None, 15)[-1], calls.before(found, None, 15)[-4]
        one, two = read(found, first.id), read(found, fallback.id)
        assert (one and one.attempts[0].losses) == (("tools[0].cache_control", "no such field"),)
        assert two is not None
        assert [(attempt.number, bool(attempt.used)) for attempt in two.attempts] == [(1, False), (2, True)]
        assert two.decision is not None
        assert two.decision["combo"] == "premium-coding"
        assert read(found, "nothing") is None
