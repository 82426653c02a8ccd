"""The rule file changes while calls run: all at once, never half, and a broken file changes nothing."""

import threading
from collections.abc import Callable

from tests.e2e.calls import ask, client, post, spoken
from tests.e2e.targets import routes, targets
from tests.servers.answers import Answer, events
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy
from tests.servers.steps import PATIENCE, Gate, Say, says

ANSWER = Answer(pieces=("Old ", "rules."))
ASKED = ask("anthropic-messages", stream=True)
TURN = 0.02


def log_says(proxy: Proxy, *words: str) -> None:
    """Wait until the log of the running proxy says all of this."""
    never = threading.Event()
    for _ in range(int(PATIENCE / TURN)):
        if all(word in proxy.log.read_text() for word in words):
            return
        never.wait(TURN)
    raise AssertionError(f"the log never said {words}:\n{proxy.log.read_text()}")


def test_rules_are_broken_and_repaired_while_a_stream_runs(
    provider: Provider, second: Provider, start_proxy: Callable[..., Proxy]
) -> None:
    gate = Gate()
    said = events("openai-chat", ANSWER, "m")
    held = Say(ANSWER, gates={next(number for number, event in enumerate(said) if b"rules." in event): gate})
    provider.script(held, says("Still old."))
    second.script(says("New rules."))
    both = targets(up=provider, other=second)
    proxy = start_proxy(both + routes("up-openai-chat/m"))
    with client(proxy) as http, http.stream("POST", ASKED.url, content=ASKED.content) as response:
        chunks = response.iter_raw()
        read = b""
        while b"Old" not in read:
            read += next(chunks)

        proxy.write(both + "routes: [{match: {model: '*'}, to: nowhere/m}]\nnonsense: 1\n")
        lines = len(proxy.config.read_text().splitlines())
        log_says(proxy, f"{proxy.config}:{lines}:", "nonsense")
        assert spoken(ASKED.format, post(proxy, ASKED)) == "Still old."

        proxy.write(both + routes("other-gemini/m"))
        log_says(proxy, f"new rules from {proxy.config}")
        assert spoken(ASKED.format, post(proxy, ASKED)) == "New rules."

        gate.open()
        read += b"".join(chunks)
    assert b"rules." in read
    assert b"message_stop" in read
    assert {call.format for call in second.calls} == {"gemini"}
