"""What one format takes over from another because both spell it alike."""

import json

from translators import hub
from translators.format import Profile, WireRequest
from translators.formats import FORMATS
from translators.kin import cache_control, inherited

MARK: hub.JSON = {"type": "ephemeral", "ttl": "1h"}


def test_the_two_openai_formats_share_their_bookkeeping() -> None:
    extra: hub.Extra = {"openai-responses": {"metadata": {"a": "b"}, "truncation": "auto", "store": None}}
    assert inherited(extra, "openai-chat") == {"metadata": {"a": "b"}}


def test_other_formats_share_nothing() -> None:
    assert inherited({"anthropic-messages": {"metadata": {"a": "b"}}}, "openai-chat") == {}


def test_a_breakpoint_is_found_in_any_format() -> None:
    assert cache_control({"anthropic-messages": {"cache_control": MARK}}) == MARK
    assert cache_control({"openai-chat": {"cache_control": MARK}}) == MARK


def test_what_is_no_breakpoint_is_none() -> None:
    assert cache_control({"openai-chat": {"cache_control": "yes"}}) is None
    assert cache_control({}) is None


def test_breakpoints_that_a_chat_client_set_reach_anthropic() -> None:
    """Prompt caches: clients of OpenRouter mark their texts as Anthropic's do."""
    body = json.dumps(
        {
            "model": "m",
            "messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": MARK}]}],
        }
    ).encode()
    request = FORMATS["openai-chat"].parse_request(WireRequest(body=body))
    losses: list[hub.Loss] = []
    wire = FORMATS["anthropic-messages"].render_request(request, Profile(), losses)
    assert json.loads(wire.body)["messages"][0]["content"][0]["cache_control"] == MARK
    assert [loss.path for loss in losses if "cache" in loss.path] == []


def test_no_breakpoint_is_added_that_the_client_did_not_set() -> None:
    """Deferred tools together with an injected breakpoint are refused."""
    tools = (hub.Tool("f", schema={"type": "object"}), hub.Tool("g", schema={"type": "object"}, deferred=True))
    request = hub.Request("m", (hub.Message("user", (hub.Text("Hi"),)),), tools=tools, max_tokens=9)
    assert b"cache_control" not in FORMATS["anthropic-messages"].render_request(request, Profile(), []).body
