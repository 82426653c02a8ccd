"""The prompt_cache_key that is made for clients without one (prompt caches, user-pains: stable key for OpenAI and Codex)."""

from translators import hub
from translators.cache_key import session_key

ASKED = hub.Message("user", (hub.Text("Hi"),))
ANSWER = hub.Message("assistant", (hub.Text("Hello"),))
SYSTEM = hub.Message("system", (hub.Text("Be brief."),))


def test_a_session_that_the_client_names_makes_the_key() -> None:
    first, second = hub.Request("m", (ASKED,), user="session-1"), hub.Request("m", (ANSWER,), user="session-1")
    assert session_key(first) == session_key(second)
    assert session_key(first) != session_key(hub.Request("m", (ASKED,), user="session-2"))


def test_the_key_does_not_show_who_the_user_is() -> None:
    key = session_key(hub.Request("m", (ASKED,), user="user_123_account_456"))
    assert key is not None
    assert "123" not in key or len(key) == 32
    assert len(key) <= 64


def test_later_turns_of_one_conversation_keep_the_key() -> None:
    first = hub.Request("m", (SYSTEM, ASKED))
    later = hub.Request("m", (SYSTEM, ASKED, ANSWER, hub.Message("user", (hub.Text("More"),))))
    assert session_key(first) == session_key(later)


def test_another_system_prompt_makes_another_key() -> None:
    assert session_key(hub.Request("m", (SYSTEM, ASKED))) != session_key(hub.Request("m", (ASKED,)))


def test_a_request_without_words_has_none() -> None:
    assert session_key(hub.Request("m", ())) is None
