"""A small fuzz through a running proxy on every run; ``python -m tests.soak fuzz`` makes the large one."""

from tests.soak.fuzz.material import attack
from tests.soak.fuzz.run import Outcome, fuzz


def _said(_: str) -> None:
    pass


def test_some_hundred_hostile_calls_disturb_no_clean_client() -> None:
    outcome = fuzz(200, 5, 1, tell=_said)
    assert outcome.faults == []
    assert outcome.calls >= 200
    assert outcome.right >= 5


def test_the_same_number_is_the_same_attack() -> None:
    assert attack(3, 1, 77) == attack(3, 1, 77)


def test_each_kind_of_fault_is_told() -> None:
    faults = Outcome(wrong=["said too little"], missing=["0/0/1"], died=True, log="x Traceback y").faults
    assert [fault.partition(":")[0] for fault in faults] == [
        "the clean client",
        "no answer",
        "the proxy has died",
        "1 tracebacks",
        "the clean client was never answered",
    ]
