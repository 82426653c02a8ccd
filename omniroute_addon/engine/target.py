"""Where a candidate's call goes: URL, headers and body of the upstream request. Pure."""

from urllib.parse import unquote_plus, urlsplit

from omniroute_addon.config.models import Account, Provider, Snapshot
from omniroute_addon.config.ways import Outbound
from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.call import Call, Dial
from omniroute_addon.routing.candidate import Candidate
from translators import FORMATS, WireRequest

USER_AGENT = "omniroute"


def dial(call: Call, candidate: Candidate, wire: WireRequest, passthrough: bool, snapshot: Snapshot) -> Dial:
    """The upstream request of one attempt. ``wire`` is what the bridge rendered for it."""
    if candidate.origin:
        own = header_rules.for_origin(call.headers, identity=call.streaming)
        # The bridge returns the body it was given unless it had to take our own marks out of it.
        changed = wire.body is not call.wire.body
        body = wire.body if changed else call.body
        if changed:
            own = [(name, value) for name, value in own if name.lower() != "content-encoding"]
        url = origin_url(call, snapshot)
        return Dial(call.wire.method, url, tuple(own), body, proxy=candidate.way(url, snapshot.ways))
    provider = candidate.provider
    assert provider is not None
    # A passthrough's wire carries the client's own headers, credentials included: only the protocol goes on.
    said = header_rules.for_same_format(call.headers) if passthrough else dict(wire.headers)
    said |= {"content-type": "application/json", "user-agent": USER_AGENT} | dict(provider.headers)
    key = credential(provider, candidate.account)
    said |= {"accept-encoding": "identity"} | key
    # An address that the user wrote is called as written.
    query = "&".join(part for part in ("" if provider.overridden else provider.query, wire.query) if part)
    url = join(provider.base_url, FORMATS[provider.format].base_path, wire.path, query)
    proxy = candidate.way(url, snapshot.ways)
    return Dial(wire.method, url, tuple(said.items()), wire.body, frozenset(key), proxy)


def way(call: Call, candidate: Candidate, snapshot: Snapshot) -> Outbound | None:
    """The outbound proxy that an attempt at the candidate would leave by."""
    url = origin_url(call, snapshot) if candidate.provider is None or candidate.origin else candidate.provider.base_url
    return candidate.way(url, snapshot.ways)


def credential(provider: Provider, account: Account | None) -> dict[str, str]:
    """The header that carries an account's key; none for providers without keys."""
    if account is None or account.key is None:
        return {}
    header = provider.auth.header(account.key.get_secret_value())
    return {} if header is None else dict([header])


def origin_url(call: Call, snapshot: Snapshot) -> str:
    """The address of the client's own call: as it dialled, or its provider's ``base_url`` where the user set one."""
    provider = snapshot.providers.get(call.provider or "")
    if provider is not None and provider.overridden:
        return join(
            provider.endpoint(call.format), FORMATS[call.format].base_path, *_split(call.path), keep_credentials=True
        )
    default = {"https": 443, "http": 80}[call.scheme]
    port = "" if call.port == default else f":{call.port}"
    host = f"[{call.host}]" if ":" in call.host else call.host
    return f"{call.scheme}://{host}{port}{call.path}"


def join(base_url: str, base_path: str, path: str, query: str, *, keep_credentials: bool = False) -> str:
    """``base_url`` plus what ``path`` has beyond the format's ``base_path``, and both queries, each parameter as written.

    >>> join("https://x/v1beta/models", "/v1beta/models", "/v1beta/models/m:generateContent", "alt=sse")
    'https://x/v1beta/models/m:generateContent?alt=sse'
    """
    base = urlsplit(base_url)
    _, found, rest = path.partition(base_path)
    if not found:
        # The same call under another address: /zen/v1/models/m:generateContent, /backend-api/codex/responses.
        _, _, rest = path.partition("/" + base_path.rpartition("/")[2])
    asked = [
        part for part in query.split("&") if part and (keep_credentials or not header_rules.is_credential(_name(part)))
    ]
    names = {_name(part) for part in asked}
    own = [part for part in base.query.split("&") if part and _name(part) not in names]
    return base._replace(path=base.path.rstrip("/") + rest, query="&".join(own + asked)).geturl()


def _name(parameter: str) -> str:
    return unquote_plus(parameter.partition("=")[0])


def _split(path: str) -> tuple[str, str]:
    bare, _, query = path.partition("?")
    return bare, query
