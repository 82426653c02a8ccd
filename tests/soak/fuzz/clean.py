"""The clean client beside a fuzz: it asks all the time, and every answer must be exactly the expected one.

    python -m tests.soak.fuzz.clean

Prints its provider's port, reads the proxy's addresses as one line of JSON, and then prints a line of JSON a second, the
last one after its standard input ends. Two sorts of checks run side by side: the official SDKs, each in both manners
with two tool calls in the answer, and raw calls of every format to targets of every format with a word of their own.
"""

import asyncio
import json
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx

from tests.e2e.calls import async_client
from tests.e2e.sdks import SDKS, Heard
from tests.servers.answers import FORMATS, Answer, Call
from tests.servers.provider import Received, serving
from tests.servers.proxy import Proxy
from tests.servers.steps import Say, Step
from tests.soak import kinds
from tests.soak.upstream import Upstream

WORDS = ("Two files ", "are to be ", "read: “ö” — ", "🕰")
CALLS = ({"path": "c.txt"}, {"path": 'd "q" \\ é.txt'})
SAID = Answer(
    pieces=WORDS,
    calls=tuple(Call(f"call_{number}", "read_file", json.dumps(one)) for number, one in enumerate(CALLS)),
)
RAW = (kinds.answered, kinds.answered, kinds.answered, kinds.at_gateway, kinds.untouched, kinds.encoded, kinds.long)
PAUSE = 0.1
"""Seconds between two calls of one client: enough of them beside the others, without taking the proxy for itself."""
TOTAL_ERRORS = 50


class Behaviour:
    """The words of a soak's question, or else the one answer that the SDKs are to hear."""

    def __init__(self) -> None:
        self._ordered = Upstream()

    def __call__(self, request: Received) -> Step:
        # A hostile call that no rule touches goes to its own provider, which is this one.
        return Say(SAID) if b"two files" in request.raw else self._ordered(request)


@dataclass(slots=True)
class Notes:
    """How many answers were right, and which were not."""

    right: int = 0
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list[str])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, wrong: str | None, seconds: float) -> None:
        with self.lock:
            self.slowest = max(self.slowest, seconds)
            if wrong is None:
                self.right += 1
            elif len(self.wrong) < TOTAL_ERRORS:
                self.wrong.append(wrong[:1500])

    def line(self) -> str:
        with self.lock:
            return json.dumps({"right": self.right, "wrong": self.wrong, "slowest": self.slowest})


def by_sdk(name: str, heard: Notes, stop: threading.Event) -> None:
    """One SDK in both manners to targets of every format, again and again."""
    dice = Random(name)
    with SDKS[name]() as sdk:
        while not stop.wait(PAUSE):
            form, manner = dice.choice(FORMATS), dice.choice(("whole", "stream"))
            began = time.monotonic()
            try:
                wrong = _compared(getattr(sdk, manner)(f"to-{form}"))
            except Exception as error:  # noqa: BLE001  whatever it is, a clean client must not get it
                wrong = f"{type(error).__name__}: {error}"
            took = time.monotonic() - began
            heard.add(None if wrong is None else f"{name} {manner} from {form}: {wrong}", took)


def _compared(heard: Heard) -> str | None:
    expected = ("".join(WORDS), [("read_file", dict(one)) for one in CALLS], "tools")
    said = (heard.text, heard.calls, heard.stop)
    return None if said == expected else repr(said)


async def _raw(proxy: Proxy, heard: Notes, stop: threading.Event) -> None:
    dice = Random("raw")
    async with (
        async_client(proxy, http2=False) as http1,
        async_client(proxy, http2=True) as http2,
        httpx.AsyncClient(trust_env=False, timeout=30) as gateway,
    ):
        clients = kinds.Clients(proxy, http1, http2, gateway, 0, dice)
        while not stop.is_set():
            kind, began, wrong = dice.choice(RAW), time.monotonic(), None
            nonce = f"n{dice.getrandbits(40):x}"
            try:
                await kind(clients, nonce)
            except Exception as error:  # noqa: BLE001  as above
                wrong = f"{kind.__name__} {nonce}: {type(error).__name__}: {error}"
            heard.add(wrong, time.monotonic() - began)
            await asyncio.sleep(PAUSE)


def main() -> None:
    heard, stop = Notes(), threading.Event()
    with serving() as provider:
        provider.remembers, provider.otherwise = False, Behaviour()
        _say(str(provider.port))
        proxy = _proxy(json.loads(sys.stdin.readline()))
        os.environ |= {"HTTPS_PROXY": proxy.url, "SSL_CERT_FILE": str(proxy.ca), "GEMINI_API_KEY": "x"}
        os.environ.pop("NO_PROXY", None)
        threads = [threading.Thread(target=by_sdk, args=(name, heard, stop)) for name in SDKS]
        threads.append(threading.Thread(target=lambda: asyncio.run(_raw(proxy, heard, stop))))
        threads.append(threading.Thread(target=_tell, args=(heard, stop)))
        for thread in threads:
            thread.start()
        sys.stdin.readline()
        stop.set()
        for thread in threads:
            thread.join()
    _say(heard.line())


def _proxy(addresses: dict[str, Any]) -> Proxy:
    """The running proxy, as its clients know it."""
    home = Path(addresses["ca"]).parents[1]
    none: Any = None
    return Proxy(none, home, home, home, addresses["proxy"], addresses["gateway"], None)


def _tell(heard: Notes, stop: threading.Event) -> None:
    while not stop.wait(1):
        _say(heard.line())


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
