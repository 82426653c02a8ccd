"""The semantic tier of the cache: where its embeddings come from, and whether the file asks for what can be had."""

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from urllib.parse import urlsplit, urlunsplit

from omniroute_addon.config.document import Document
from omniroute_addon.config.models import ENDPOINT_SUFFIX, Problem, Provider, Snapshot
from omniroute_addon.config.schema import ConfigSpec
from omniroute_addon.config.validate import meant

EXTRA = "pip install 'omniroute[semantic]'"
_MODULES = ("sqlite_vec", "apsw")
"""What the extra installs. apsw brings an SQLite of its own: many a Python's cannot load extensions."""
_ENDING = "/embeddings"
_SHAPED = ("openai-chat", "openai-responses")
"""Formats whose services have embeddings at a sibling of their address."""


def embeddings_url(provider: Provider) -> str | None:
    """Where a provider makes embeddings: beside its endpoint of OpenAI's shape; None when it has none."""
    for form in _SHAPED:
        if form != provider.format and form not in provider.endpoints:
            continue
        parts = urlsplit(provider.endpoint(form))
        path = parts.path.rstrip("/")
        if path.endswith(ENDPOINT_SUFFIX[form]):
            return urlunsplit(parts._replace(path=path.removesuffix(ENDPOINT_SUFFIX[form]) + _ENDING))
    return None


def missing() -> tuple[str, ...]:
    """The modules of the extra that are not installed."""
    return tuple(name for name in _MODULES if find_spec(name) is None)


def check_semantic(
    config: ConfigSpec, document: Document, providers: Mapping[str, Provider], prefixes: Mapping[str, str]
) -> None:
    """Report what keeps the tier from working."""
    rules, place = config.cache.semantic, ("cache", "semantic")
    if rules is None:
        for index, route in enumerate(config.routes):
            if route.cache == "semantic":
                text = "needs the section cache.semantic, which says where embeddings come from"
                document.report(("routes", index, "cache"), text)
        return
    if absent := missing():
        document.report(place, f"needs {' and '.join(absent)}, not installed here: {EXTRA}")
    prefix, slash, model = rules.embeddings.partition("/")
    place = (*place, "embeddings")
    if not slash or not model:
        document.report(place, f"{rules.embeddings!r} is not provider/model")
    elif prefix not in prefixes:
        document.report(place, f"unknown provider {prefix!r}{meant(prefix, list(prefixes))}")
    elif embeddings_url(providers[prefixes[prefix]]) is None:
        text = "has no address like OpenAI's: one that ends with /chat/completions or /responses, with /embeddings beside it"
        document.report(place, f"provider {prefixes[prefix]!r} {text}")


def unused(snapshot: Snapshot, document: Document) -> Iterable[Problem]:
    """Half of what the tier needs."""
    cache = snapshot.governance.cache
    wanted = [index for index, route in enumerate(snapshot.routes) if route.semantic]
    if cache.semantic is not None and not wanted:
        text = "no route has 'cache: semantic', so no question is held against another"
        yield document.problem(("cache", "semantic"), text)
    if wanted and not cache.enabled:
        yield document.problem(("routes", wanted[0], "cache"), "the cache is off: it needs cache.enabled")
