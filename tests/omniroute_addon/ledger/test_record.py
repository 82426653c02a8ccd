"""What is kept of an exchange."""

import pytest

from omniroute_addon.ledger import AttemptRecord, ExchangeRecord
from omniroute_addon.ledger.record import Tape
from translators.hub import Usage


def attempt(target: str = "glm/m", *, used: bool = False) -> AttemptRecord:
    return AttemptRecord("1", 1, target, None, "openai-chat", "POST", "http://x", (), b"", 0.0, Tape(10), used=used)


def exchange(*attempts: AttemptRecord, **changes: object) -> ExchangeRecord:
    known = {
        "id": "1",
        "client": "claude-code",
        "format": "anthropic-messages",
        "operation": "generate",
        "model": "m",
        "route": "routes[0]",
        "combo": "premium",
        "started": 10.0,
        "response_body": Tape(10),
    }
    return ExchangeRecord(**(known | {"attempts": list(attempts)} | changes))


def test_a_tape_keeps_up_to_its_limit_and_counts_the_rest() -> None:
    tape = Tape(5)
    for chunk in (b"abc", b"def", b"ghi"):
        tape.add(chunk)
    assert (tape.content(), tape.size) == (b"abcde", 9)


def test_a_tape_can_be_read_while_it_grows() -> None:
    tape = Tape(100)
    tape.add(b"a")
    assert tape.content() == b"a"
    tape.add(b"b")
    assert tape.content() == b"ab"


def test_an_empty_tape_is_empty() -> None:
    assert Tape(5).content() == b""


def test_the_used_attempt_is_the_one_whose_answer_the_client_got() -> None:
    used = attempt("glm/m", used=True)
    assert exchange(attempt(), used).used is used
    assert exchange(attempt()).used is None


def test_the_summary_says_where_it_went_and_what_it_took() -> None:
    record = exchange(attempt(), attempt("local/q", used=True), outcome="done", ended=10.25)
    record.usage = Usage(input=100, output=7)
    assert record.summary() == "premium → local/q · 2 tries · 100+7 tok · 250 ms"


def test_the_summary_of_a_failure_says_so() -> None:
    record = exchange(outcome="failed: nobody", ended=10.001, combo=None)
    assert record.summary() == "routes[0] → no target · 0 tries · 1 ms · failed: nobody"


def test_an_estimate_is_marked() -> None:
    record = exchange(attempt(), outcome="done")
    record.usage = Usage(input=3, estimated=True)
    assert "~3+0 tok" in record.summary()


def test_only_a_done_exchange_is_ok() -> None:
    assert exchange(outcome="done").ok
    assert not exchange(outcome="client left").ok


def test_an_answer_given_again_says_how_and_what_it_saved() -> None:
    record = exchange(outcome="replayed", route="cache.hit", saved=12_300)
    assert (record.summary(), record.ok) == ("cache.hit · answered here · saved $0.0123", True)
    assert exchange(outcome="replayed", route="idempotency.again").summary() == "idempotency.again · answered here"


@pytest.mark.parametrize(
    "outcome, used, failed, word",
    [
        ("used", True, False, ""),
        ("overtaken", False, False, "hedged"),
        ("resumed", True, False, "resumed"),
        ("resumed until it broke off: broke off", True, True, "resumed"),
        ("used until it broke off: 500 server", True, True, ""),
        ("500 server → next target", False, True, ""),
    ],
)
def test_what_two_attempts_were_for_is_told(outcome: str, word: str, *, used: bool, failed: bool) -> None:
    one = attempt(used=used)
    one.outcome = outcome
    record = exchange(one, attempt("local/q", used=True), outcome="done")
    assert one.failed == failed
    assert record.summary() == f"premium → local/q · 2 tries{f' · {word}' if word else ''}"
    assert record.resumed == (word == "resumed")
