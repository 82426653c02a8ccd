"""mitmweb as its page uses it: the JSON API, contents, the update socket, replay. Remembers every byte it was sent."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import aiohttp
import httpx

from tests.servers.steps import PATIENCE

type Row = dict[str, Any]

_XSRF = "0" * 32
"""The page's cookie and header must be the same; which value is up to the page."""


class Mitmweb:
    """A logged-in page. ``seen`` is everything that the server ever sent to it."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.url = url
        self.base = f"{address.scheme}://{address.netloc}"
        self._token = parse_qs(address.query)["token"][0]
        self._client = httpx.Client(
            base_url=self.base,
            headers={"authorization": f"Bearer {self._token}"},
            cookies={"_mitmproxy_xsrf": _XSRF},
            trust_env=False,
            timeout=PATIENCE,
        )
        self.seen: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str) -> bytes:
        response = self._client.get(path)
        self.seen.append(response.content)
        return response.content

    def rows(self) -> list[Row]:
        return json.loads(self.get("/flows"))

    def wait_rows(self, wanted: Callable[[list[Row]], bool]) -> list[Row]:
        """The rows as soon as they are as ``wanted``."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if wanted(rows := self.rows()):
                return rows
        raise AssertionError(f"the rows never came: {[(row['comment'], row.get('error')) for row in rows]}")

    def wait_event(self, words: str) -> None:
        """Until the page's event log says so."""
        end = time.monotonic() + PATIENCE
        while words not in (log := self.get("/events").decode()):
            assert time.monotonic() < end, log

    def content(self, row: Row, message: str) -> bytes:
        return self.get(f"/flows/{row['id']}/{message}/content.data")

    def rendered(self, row: Row, message: str, view: str = "auto") -> Row:
        """What the content pane shows: ``text`` and ``view_name``."""
        return json.loads(self.get(f"/flows/{row['id']}/{message}/content/{view}.json"))

    def post(self, path: str) -> None:
        response = self._client.post(path, headers={"x-xsrftoken": _XSRF})
        assert response.is_success, f"{path}: {response.status_code} {response.text}"

    def command(self, name: str, *arguments: str) -> Row:
        """Run a mitmproxy command: ``value`` or ``error``."""
        response = self._client.post(f"/commands/{name}", json={"arguments": arguments}, headers={"x-xsrftoken": _XSRF})
        assert response.is_success, f"{name}: {response.status_code} {response.text}"
        self.seen.append(response.content)
        return response.json()

    def put(self, path: str, values: Row) -> None:
        response = self._client.put(path, json=values, headers={"x-xsrftoken": _XSRF})
        assert response.is_success, f"{path}: {response.status_code} {response.text}"

    def replay(self, row: Row) -> Row:
        """Replay a flow; the row when its answer is here."""
        self.post(f"/flows/{row['id']}/replay")

        def answered(rows: list[Row]) -> bool:
            return any(
                one["id"] == row["id"]
                and one["is_replay"] == "request"
                and (one.get("error") or (one.get("response") or {}).get("timestamp_end"))
                for one in rows
            )

        rows = self.wait_rows(answered)
        return next(one for one in rows if one["id"] == row["id"])

    @contextmanager
    def watching(self) -> Generator[None]:
        """Listen to the update socket, and look at all flows again and again, while the block runs."""
        listening, over = threading.Event(), threading.Event()

        async def listen() -> None:
            headers = {"authorization": f"Bearer {self._token}"}
            async with (
                aiohttp.ClientSession(headers=headers) as session,
                session.ws_connect(f"{self.base}/updates", max_msg_size=0) as socket,
            ):
                listening.set()
                while not over.is_set():
                    try:
                        message = await socket.receive(timeout=0.02)
                    except TimeoutError:
                        pass
                    else:
                        self.seen.append(
                            message.data if isinstance(message.data, bytes) else str(message.data).encode()
                        )
                    for path in ("/flows", "/flows/dump"):
                        async with session.get(f"{self.base}{path}") as response:
                            self.seen.append(await response.read())

        thread = threading.Thread(target=lambda: asyncio.run(listen()), daemon=True)
        thread.start()
        assert listening.wait(PATIENCE)
        try:
            yield
        finally:
            over.set()
            thread.join(PATIENCE)


def role(row: Row) -> str:
    """``attempt`` or ``call``: how the comment column tells them apart."""
    return "attempt" if row["comment"].startswith("↳") else "call"
