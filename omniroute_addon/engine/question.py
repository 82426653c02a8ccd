"""A call that somebody only describes, as rules see it: for explanations, in commands and on pages. Sends nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from omniroute_addon.config.models import Snapshot, Surface
from omniroute_addon.gateway.endpoints import endpoint
from omniroute_addon.routing import BodyFacts, Told, surfaces
from omniroute_addon.routing.ask import Ask
from translators import FORMATS, WireRequest

GATEWAY_PATH = "/v1/chat/completions"
LOGIN = {"authorization": "Bearer login"}
"""What Claude Code shows unless the description says otherwise; it decides whether its own call costs money."""
CLIENT_HOMES: Mapping[str, str] = {
    "claude-code": "api.anthropic.com",
    "codex": "chatgpt.com",
    "gemini-cli": "generativelanguage.googleapis.com",
    "qwen-code": "dashscope.aliyuncs.com",
}
"""Where a tool calls that shares its surface with others."""


class QuestionError(ValueError):
    """Too little is said, or it means nothing; the message is for people."""

    def __init__(self, message: str, hint: str | None = None, code: int = 1) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code
        """The exit code of a command: 2 when the question is at fault."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is known of the call."""

    client: str | None = None
    model: str | None = None
    body: bytes = b""
    host: str | None = None
    path: str | None = None
    gateway: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name."""
    key: str | None = None
    source: str | None = "127.0.0.1"

    def with_request(self, raw: bytes) -> "Question":
        """With what a whole HTTP request says, except for what is known already. Raises QuestionError."""
        head, _, rest = raw.replace(b"\r\n", b"\n", 1).partition(b"\n")
        words = head.decode("latin-1").split()
        lines, _, body = rest.replace(b"\r\n", b"\n").partition(b"\n\n")
        if len(words) != 3 or not words[2].startswith("HTTP/"):
            raise QuestionError("this is no HTTP request", "It begins like: POST /v1/messages HTTP/1.1", 2)
        headers = headers_of(lines.decode("latin-1").splitlines())
        try:
            address = urlsplit(words[1])
        except ValueError as error:
            raise QuestionError(f"{words[1]!r} is no address", code=2) from error
        host = None if self.gateway else address.hostname or headers.get("host", "").partition(":")[0]
        return replace(
            self,
            host=self.host or host,
            path=self.path or address.path,
            body=self.body or body,
            headers={**headers, **self.headers},
        )

    def ask(self, snapshot: Snapshot) -> Ask:
        """As rules would see the call. Raises QuestionError."""
        ask = self._gateway_ask() if self.gateway else self._intercepted_ask(snapshot)
        headers = self.headers
        if ask.client == "claude-code" and "x-api-key" not in headers:
            headers = {**LOGIN, **headers}
        ask = replace(ask, key=self.key, source=self.source, headers=headers)
        wire = WireRequest("POST", ask.path, headers=ask.headers, body=self.body or b"{}")
        facts = BodyFacts(ask.format, wire, ask.headers)
        return replace(ask, facts=facts if self.body else Told(session=facts.session))

    def _gateway_ask(self) -> Ask:
        path = self.path or GATEWAY_PATH
        served = endpoint("POST", path)
        if served is None:
            raise QuestionError(f"the gateway does not serve POST {path}", code=2)
        model = self._model(served.format, path)
        if served.prefix and not model.startswith(served.prefix + "/"):
            model = f"{served.prefix}/{model}"
        return Ask(client=self.client or "gateway", format=served.format, model=model, path=path, gateway=True)

    def _intercepted_ask(self, snapshot: Snapshot) -> Ask:
        if self.host is not None:
            found = surfaces.match(snapshot.surfaces, self.host, "POST", self.path or "/", headers=self.headers)
            if found is None:
                known = self.host.lower() in surfaces.hosts(snapshot)
                where = f"{self.host}{self.path or '/'}"
                raise QuestionError(
                    f"{where} is on no surface: such a call passes through untouched",
                    "The host is decrypted, this path is not ours." if known else "The host is not even decrypted.",
                )
            surface, client = found.surface, self.client or found.client
        else:
            surface = _surface_of(self.client, snapshot)
            client = self.client or surface.client
        path = self.path or _sample(surface.paths.get("generate", ("/",))[0])
        model = self._model(surface.format, path)
        return Ask(
            client=client,
            format=surface.format,
            model=model,
            host=self.host or surface.hosts[0],
            path=path.replace("MODEL", model),
            provider=surface.provider,
            slash_models=surface.slash_models,
        )

    def _model(self, wire_format: str, path: str) -> str:
        if self.model is not None:
            return self.model
        known = self.body or self.path
        read = FORMATS[wire_format].model_of(WireRequest(path=path, body=self.body)) if known else None
        if read is None:
            raise QuestionError("which model is asked for?", "Give the model, or a request with a body.", 2)
        return read


def headers_of(lines: Iterable[str]) -> dict[str, str]:
    """``NAME: VALUE`` lines by lower-case name. Raises QuestionError."""
    found: dict[str, str] = {}
    for one in lines:
        name, colon, value = one.partition(":")
        if not colon or not name.strip():
            raise QuestionError(f"{one!r} is no header", "Say 'NAME: VALUE'.", 2)
        found[name.strip().lower()] = value.strip()
    return found


def clients(snapshot: Snapshot) -> list[str]:
    """Tools that the rules know."""
    known = {surface.client for surface in snapshot.surfaces.all}
    return sorted({*known, *(rule.client for rule in snapshot.surfaces.clients)})


def _surface_of(client: str | None, snapshot: Snapshot) -> Surface:
    """The surface that a client knocks on. A tool known by its headers only is looked for by its provider's default."""
    known = {surface.client: surface for surface in reversed(snapshot.surfaces.all)}
    if client is None:
        names = ", ".join(clients(snapshot))
        raise QuestionError("who calls?", f"The client is one of {names}; or give host and path", 2)
    home = CLIENT_HOMES.get(client)
    if home is not None and (surface := next((one for one in snapshot.surfaces.all if home in one.hosts), None)):
        return surface
    if client not in known:
        if client in {rule.client for rule in snapshot.surfaces.clients}:
            raise QuestionError(f"{client} calls more than one provider", "Say which with host and path.", 2)
        raise QuestionError(f"unknown client {client!r}", f"Known are {', '.join(clients(snapshot))}.", 2)
    return known[client]


def _sample(glob: str) -> str:
    """A path that the glob matches."""
    return glob.replace("*", "MODEL", 1).replace("*", "")
