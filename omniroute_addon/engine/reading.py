"""One open answer, read through the bridge of its attempt: held before the commit, passed on after it."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import replace

import orjson

from omniroute_addon.config.models import Limits
from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.encodings import Decoder, decoded, decoder
from omniroute_addon.engine.upstream import Answer, UpstreamError
from omniroute_addon.engine.verdict import Outcome
from omniroute_addon.ledger import AttemptRecord
from omniroute_addon.routing.candidate import Candidate
from translators import FORMATS, FormatError, WireResponse, hub, jsonvalue
from translators.bridge import Bridge, Passthrough

_OF_THE_ENCODING = ("content-encoding", "content-length")


class Reading:
    """``hold`` before the commit, ``rest`` after it. Raises ValueError for a content encoding that we cannot decode.

    What is passed on is unpacked: an error of ours must be able to follow it, and the client need not know the encoding.
    """

    def __init__(
        self,
        answer: Answer,
        bridge: Bridge,
        attempt: AttemptRecord,
        limits: Limits,
        hidden: Sequence[str] = (),
    ) -> None:
        """``hidden``: credentials that some providers repeat in their errors."""
        self.answer = answer
        self.bridge = bridge
        self.held: list[bytes] = []
        self._attempt = attempt
        self._limits = limits
        self._content_type = answer.header("content-type")
        self._chunks = answer.chunks()
        self._decoder: Decoder = decoder(answer.header("content-encoding"))
        self._secrets = tuple(hidden)
        self._hidden = tuple(text.encode("utf-8", "surrogateescape") for text in hidden)
        self._error_body = b""
        self._complete = False
        """All of the answer is in ``held``."""

    async def hold(self, operation: str) -> Outcome:
        """Read until the answer is known to be good or bad. ``ok`` means: ``held`` may go to the client.

        Raises UpstreamError.
        """
        outcome = await self._held(operation)
        return outcome if outcome.failure is None else replace(outcome, failure=self.discreet(outcome.failure))

    def discreet(self, failure: hub.Failure | None) -> hub.Failure | None:
        """What the provider says of a failure, without the credentials that it repeats."""
        if failure is None:
            return None
        said, raw = header_rules.without(failure.message, self._secrets), failure.raw
        if raw is not None:
            text = header_rules.without(jsonvalue.write(raw).decode(), self._secrets)
            try:
                raw = jsonvalue.read(text, "what the provider says")
            except FormatError:
                raw = None
        return replace(failure, message=said, raw=raw)

    async def _held(self, operation: str) -> Outcome:
        if self.answer.status >= 300:
            return await self._refused()
        if "text/html" in self._content_type:
            return Outcome("html", self.answer.status)
        if operation == "count":
            return await self._counted()
        size = 0
        async for chunk in self._chunks:
            out = self._step(chunk)
            if out:
                self.held.append(out)
                size += len(out)
            if (outcome := self._so_far(size)) is not None:
                return outcome
        if tail := self.bridge.close():
            self.held.append(tail)
        failure = self.bridge.failure
        if failure is not None:
            return Outcome("cut" if failure.kind == "cut" else "not-format", self.answer.status, failure)
        return self._told()

    def _so_far(self, size: int) -> Outcome | None:
        """What is known in the middle of an answer; None when more must be read."""
        bridge, status = self.bridge, self.answer.status
        if bridge.failure is not None:
            return Outcome("error-event", status, bridge.failure)
        if isinstance(bridge, Passthrough) and bridge.contrary:
            asked, got = ("a stream", "a whole answer") if bridge.streaming else ("a whole answer", "a stream")
            return Outcome("not-format", status, hub.Failure("server", f"{got} where {asked} was asked for", 502))
        if size > self._limits.max_answer:
            failure = hub.Failure("server", f"the answer is larger than {self._limits.max_answer} bytes", 502)
            return Outcome("not-format", status, failure)
        if bridge.meaningful and self._attempt.first_event is None:
            self._attempt.first_event = time.time()
        return self._told() if bridge.streaming and (bridge.meaningful or bridge.finished) else None

    def _told(self) -> Outcome:
        return Outcome("ok" if self.bridge.meaningful else "empty", self.answer.status)

    async def _refused(self) -> Outcome:
        body = b""
        with suppress(UpstreamError):  # the status says enough
            body = await self.answer.read(self._limits.max_error)
        with suppress(ValueError):
            body = decoded(body, self.answer.header("content-encoding"), self._limits.max_error)
            recorded = self._attempt.response_headers
            self._attempt.response_headers = tuple(pair for pair in recorded if pair[0].lower() != "content-encoding")
        for secret in self._hidden:
            body = body.replace(secret, header_rules.REDACTED.encode())
        self._attempt.response_body.add(body)
        self._error_body = body
        failure = FORMATS[self._attempt.format].parse_error(self.answer.status, self._plain_headers(), body)
        return Outcome("status", self.answer.status, failure)

    async def _counted(self) -> Outcome:
        """The answer of a token-counting call: any JSON object; it is no answer of the model for a bridge to read."""
        body = await self.answer.read(self._limits.max_error)
        self._attempt.response_body.add(body)
        self.held.append(body)
        self._complete = True
        try:
            found = orjson.loads(self._decoder.decode(body) + self._decoder.flush())
        except ValueError:
            found = None
        return Outcome("ok" if isinstance(found, dict) and "error" not in found else "not-format", self.answer.status)

    async def rest(self) -> AsyncGenerator[bytes]:
        if self._complete:
            return
        async for chunk in self._chunks:
            yield self._step(chunk)
            if self.bridge.over:
                return
        yield self.bridge.close()

    def _step(self, chunk: bytes) -> bytes:
        self._attempt.response_body.add(chunk)
        try:
            chunk = self._decoder.decode(chunk)
        except ValueError as error:
            raise UpstreamError("cut", str(error)) from error
        return self.bridge.feed(chunk, self._content_type)

    def error(self, candidate: Candidate) -> WireResponse:
        """The upstream's error answer for the client; a redirect of its own provider as it is."""
        status, headers = self.answer.status, self._plain_headers()
        if candidate.origin and status < 400:
            self.bridge.error(status, headers, self._error_body)
            return WireResponse(status, dict(header_rules.of_answer(headers.items())), self._error_body)
        said = self.bridge.error(status, headers, self._error_body)
        if candidate.origin or not self.bridge.untouched:
            return said
        return replace(said, headers=header_rules.of_error(said.headers.items()))

    @property
    def mute(self) -> bool:
        """Nothing can be added to what has been sent: a passthrough that is no event stream."""
        return isinstance(self.bridge, Passthrough) and self.bridge.manner != "events"

    def response_headers(self, candidate: Candidate) -> list[tuple[str, str]]:
        if candidate.origin:
            told = header_rules.of_answer(self.answer.headers)
            return [pair for pair in told if pair[0].lower() not in _OF_THE_ENCODING]
        kept = [("content-type", self.bridge.content_type or self._content_type or "application/json")]
        if self.bridge.streaming:
            kept.append(("cache-control", "no-cache"))
        return kept

    def _plain_headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.answer.headers}
