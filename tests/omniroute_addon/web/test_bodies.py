"""Bodies as pages show them: so much that a browser bears it, and nothing of a key."""

import orjson
import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from omniroute_addon.addons.inspect import KEY
from omniroute_addon.web import bodies

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi sk-key"}]}


def hide(text: str) -> str:
    return text.replace("sk-key", "[redacted]")


def flow(content: bytes, answer: bytes | None = None) -> http.HTTPFlow:
    found = tflow.tflow()
    found.request = http.Request.make("POST", "http://local/v1/chat/completions", content)
    found.response = None if answer is None else http.Response.make(200, answer, {"content-type": "application/json"})
    found.metadata[KEY] = {"format": "openai-chat"}
    return found


def test_four_bodies_stand_in_the_order_in_which_they_were_sent() -> None:
    found = bodies.of_flows(flow(b"1", b"4"), flow(b"2", b"3"))
    assert [(side, message.content) for side, _, message in found] == list(
        zip(bodies.SIDES, (b"1", b"2", b"3", b"4"), strict=True)
    )


def test_an_attempt_without_an_answer_has_none() -> None:
    assert [side for side, *_ in bodies.of_flows(None, flow(b"2"))] == ["upstream_request"]


def test_a_body_is_raw_and_a_conversation_without_keys() -> None:
    (shown,) = bodies.shown(bodies.of_flows(flow(orjson.dumps(CHAT)), None), hide)
    assert shown.talk is not None
    assert ('"model": "m"' in shown.raw, shown.cut, shown.size) == (True, False, len(orjson.dumps(CHAT)))
    assert "Hi [redacted]" in shown.raw
    assert shown.talk.turns[0].pieces[0].text == "Hi [redacted]"


@pytest.mark.parametrize("content", [b"", b"no JSON", b"\xff\xfe", b"[1, 2]", b'{"messages": 5}'])
def test_what_is_no_message_is_shown_raw(content: bytes) -> None:
    (shown,) = bodies.shown(bodies.of_flows(flow(content), None), hide)
    assert (shown.talk, shown.size) == (None, len(content))


def test_of_a_large_body_the_beginning_is_shown_and_all_of_it_can_be_had() -> None:
    said = "a" * (bodies.LARGE + 1)
    content = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": f"sk-key {said}"}]})
    found = bodies.of_flows(flow(content), None)
    (shown,) = bodies.shown(found, hide)
    assert (shown.talk, shown.cut, len(shown.raw), "[redacted]" in shown.raw) == (None, True, bodies.LONGEST, True)
    assert bodies.whole(found[0][2], hide) == content.replace(b"sk-key", b"[redacted]")
