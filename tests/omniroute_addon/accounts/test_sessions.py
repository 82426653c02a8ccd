"""Which account serves a session."""

from omniroute_addon.accounts.sessions import Bindings
from omniroute_addon.config.governance import Sessions

LIMITS = Sessions(ttl=100, max=2)


def test_a_session_stays_with_its_account_at_each_provider() -> None:
    bindings = Bindings()
    bindings.bind("s", "glm", "one", LIMITS, 0)
    bindings.bind("s", "groq", "two", LIMITS, 0)
    assert [bindings.account_of("s", name, LIMITS, 1) for name in ("glm", "groq", "other")] == ["one", "two", None]


def test_a_session_moves_when_another_account_answers() -> None:
    bindings = Bindings()
    bindings.bind("s", "glm", "one", LIMITS, 0)
    bindings.bind("s", "glm", "two", LIMITS, 1)
    assert (bindings.account_of("s", "glm", LIMITS, 2), len(bindings)) == ("two", 1)


def test_a_silent_session_is_forgotten() -> None:
    bindings = Bindings()
    bindings.bind("s", "glm", "one", LIMITS, 0)
    assert bindings.account_of("s", "glm", LIMITS, 100) == "one"
    assert bindings.account_of("s", "glm", LIMITS, 101) is None


def test_the_session_that_was_silent_longest_goes_first() -> None:
    bindings = Bindings()
    for moment, session in enumerate(("a", "b", "a", "c")):
        bindings.bind(session, "glm", "one", LIMITS, moment)
    assert [bindings.account_of(name, "glm", LIMITS, 4) for name in "abc"] == ["one", None, "one"]
