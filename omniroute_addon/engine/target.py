"""Where a candidate's call goes: URL, headers and body of the upstream request. Pure."""

from urllib.parse import parse_qsl, urlencode, urlsplit

from omniroute_addon.config.models import Account, Provider, Snapshot
from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.call import Call, Dial
from omniroute_addon.routing.plan import Candidate
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
        return Dial(call.wire.method, origin_url(call, snapshot), tuple(own), body)
    provider = candidate.provider
    assert provider is not None
    # A passthrough's wire carries the client's own headers, credentials included: only the protocol goes on.
    said = header_rules.for_same_format(call.headers) if passthrough else dict(wire.headers)
    said |= {"content-type": "application/json", "user-agent": USER_AGENT} | dict(provider.headers)
    said |= {"accept-encoding": "identity"} | credential(provider, candidate.account)
    # An address that the user wrote is called as written.
    query = "&".join(part for part in ("" if provider.overridden else provider.query, wire.query) if part)
    url = join(provider.base_url, FORMATS[provider.format].base_path, wire.path, query)
    return Dial(wire.method, url, tuple(said.items()), wire.body)


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
    return f"{call.scheme}://{call.host}{port}{call.path}"


def join(base_url: str, base_path: str, path: str, query: str, *, keep_credentials: bool = False) -> str:
    """``base_url`` plus what ``path`` has beyond the format's ``base_path``, and both queries.

    >>> join("https://x/v1beta/models", "/v1beta/models", "/v1beta/models/m:generateContent", "alt=sse")
    'https://x/v1beta/models/m:generateContent?alt=sse'
    """
    base = urlsplit(base_url)
    _, found, rest = path.partition(base_path)
    suffix = rest if found else ""
    pairs = dict(parse_qsl(base.query, keep_blank_values=True))
    pairs |= {n: v for n, v in parse_qsl(query, keep_blank_values=True) if keep_credentials or n != "key"}
    return base._replace(path=base.path.rstrip("/") + suffix, query=urlencode(pairs)).geturl()


def _split(path: str) -> tuple[str, str]:
    bare, _, query = path.partition("?")
    return bare, query
