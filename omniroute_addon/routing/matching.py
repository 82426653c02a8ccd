"""Whether a route's conditions hold for a call; if not, the first key that does not. Pure."""

import ipaddress
from datetime import datetime
from functools import lru_cache

from omniroute_addon.config.glob import matches
from omniroute_addon.config.governance import DAYS, Conditions
from omniroute_addon.config.models import RouteMatch
from omniroute_addon.config.section import zone
from omniroute_addon.routing.ask import Ask

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MINUTES_PER_DAY = 1440


def mismatch(rule: RouteMatch, ask: Ask, now: float) -> str | None:
    """The key of the match that does not hold; None when all do. What needs the body comes last."""
    if rule.client and not any_of(rule.client, ask.client):
        return "client"
    if rule.model and not any_of(rule.model, ask.model or ""):
        return "model"
    if rule.host and not any_of(rule.host, ask.host):
        return "host"
    if rule.path and not any_of(rule.path, ask.path.partition("?")[0]):
        return "path"
    if rule.format and not any_of(rule.format, ask.format):
        return "format"
    for name, globs in rule.headers:
        if not any_of(globs, ask.headers.get(name) or ""):
            return f"headers.{name}"
    return _circumstance(rule.when, ask, now) if rule.when.model_fields_set else None


def any_of(globs: tuple[str, ...], value: str) -> bool:
    for glob in globs:  # noqa: SIM110 -- asked for every rule of every call; a generator costs more than the rest
        if matches(glob, value):
            return True
    return False


def _circumstance(when: Conditions, ask: Ask, now: float) -> str | None:
    if when.key and not any_of(when.key, ask.key or ""):
        return "key"
    if when.source and not _comes_from(when.source, ask.source):
        return "source"
    if when.hours is not None or when.days:
        moment = datetime.fromtimestamp(now, zone(when.timezone))
        if when.hours is not None and not _within(when.hours.begin, when.hours.end, moment):
            return "hours"
        if when.days and DAYS[moment.weekday()] not in when.days:
            return "days"
    return _in_body(when, ask)


def _in_body(when: Conditions, ask: Ask) -> str | None:
    facts = ask.facts
    if when.session and not any_of(when.session, facts.session or ""):
        return "session"
    if when.has and not facts.has.issuperset(when.has):
        return "has"
    if when.lacks and not facts.has.isdisjoint(when.lacks):
        return "lacks"
    if when.tokens_over is not None and (facts.at_most <= when.tokens_over or facts.tokens <= when.tokens_over):
        return "tokens_over"
    if when.tokens_under is not None and facts.at_most >= when.tokens_under and facts.tokens >= when.tokens_under:
        return "tokens_under"
    return None


def _within(begin: int, end: int, moment: datetime) -> bool:
    minute = moment.hour * 60 + moment.minute
    if begin <= end:
        return begin <= minute < end
    return minute >= begin or minute < end % _MINUTES_PER_DAY


def _comes_from(networks: tuple[str, ...], source: str) -> bool:
    try:
        address = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in _network(network) for network in networks)


@lru_cache(maxsize=1024)
def _network(text: str) -> Network:
    return ipaddress.ip_network(text)
