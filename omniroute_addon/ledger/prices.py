"""What a call costs, in whole micro-dollars: the user's ``prices:`` first, then the genai-prices list, never the network.

A price list says US dollars per million tokens, which is micro-dollars per token, so a cost is tokens times price.
Cached tokens are inside ``Usage.input`` and reasoning inside ``Usage.output`` (design.md 6); the list means it the same
way. What is paid otherwise (a subscription) or not at all (tier free, a service of one's own on this machine) costs
nothing, and keeps what it would have cost as its *worth*. The list is imported when the first price is asked for: it
takes 0.15 s and 23 MB, which a start must not wait for.
"""

import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from omniroute_addon.config.glob import matches
from omniroute_addon.config.governance import Price, Tier
from omniroute_addon.config.models import Provider, Snapshot
from omniroute_addon.ledger.detail import CLAUDE, HOUR, Detail, detail
from translators.hub import Extra, Usage

if TYPE_CHECKING:
    from genai_prices import types as listing

type Source = Literal["override", "genai-prices", "provider", "subscription", "free", "reserved", "unknown"]
"""``provider``: it has told the cost itself; ``reserved``: an answer without usage counts as what its budgets held for it."""

MICRO = 1_000_000
"""Micro-dollars of a dollar."""

type Kind = Literal["audio_in", "audio_cached", "audio_out", "image_in", "image_out", "search"]

_OTHER: Mapping[Kind, str] = {
    "audio_in": "input_audio_mtok",
    "audio_cached": "cache_audio_read_mtok",
    "audio_out": "output_audio_mtok",
    "image_in": "input_image_mtok",
    "image_out": "output_image_mtok",
    "search": "web_searches_kcount",
}
"""The list's names."""

LISTED: Mapping[str, str] = {
    "claude": "anthropic",
    "anthropic": "anthropic",
    "codex": "openai",
    "openai": "openai",
    "gemini-cli": "google",
    "antigravity": "google",
    "gemini": "google",
    "github": "github-copilot",
    "cursor": "cursor",
    "xai": "x-ai",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "cohere": "cohere",
    "perplexity": "perplexity",
    "glm": "zai",
    "glm-cn": "zhipuai",
    "kimi": "moonshotai",
    "kimi-coding": "moonshotai",
    "minimax": "minimax",
    "minimax-cn": "minimax",
    "openrouter": "openrouter",
    "groq": "groq",
    "cerebras": "cerebras",
    "together": "together",
    "fireworks": "fireworks",
    "nebius": "huggingface_nebius",
    "hyperbolic": "huggingface_hyperbolic",
}
"""Our registry's id → the price list's."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call cost. ``micro`` is None when nobody knows."""

    micro: int | None
    estimated: bool
    source: Source
    worth: int | None = None
    """Micro-dollars at the list price, whoever paid."""

    @property
    def dollars(self) -> float | None:
        return None if self.micro is None else self.micro / MICRO


@dataclass(frozen=True, slots=True)
class Tariff:
    """Micro-dollars per token. A long input may have prices of its own."""

    input: float
    output: float
    cache_read: float
    cache_write: float
    cache_write_1h: float
    request: float = 0.0
    """Micro-dollars per call."""
    above: int | None = None
    """Input tokens beyond which ``long`` holds for the whole call."""
    long: "Tariff | None" = None
    more: Mapping[Kind, float] = field(default_factory=dict)
    """What is not priced as text: micro-dollars per token, or per search."""

    def price(self, usage: Usage) -> float:
        """Raises nothing: parts that are greater than their whole count as the whole."""
        total = usage.input or 0
        if self.long is not None and self.above is not None and total > self.above:
            return self.long.price(usage)
        read = min(usage.cache_read or 0, total)
        write = min(usage.cache_write or 0, total - read)
        inside = detail(usage)
        hour = min(inside.hour_writes, write)
        return (
            (total - read - write) * self.input
            + read * self.cache_read
            + (write - hour) * self.cache_write
            + hour * self.cache_write_1h
            + (usage.output or 0) * self.output
            + self.request
            + (self._other(inside, total - write, usage.output or 0) if self.more else 0.0)
        )

    def _other(self, inside: Detail, total: int, output: int) -> float:
        """What the parts that are no text cost more (or less) than as text."""
        cached = min(inside.audio_cached, inside.audio_in, total)
        heard = min(inside.audio_in - cached, total - cached)
        parts: tuple[tuple[Kind, int, float], ...] = (
            ("audio_cached", cached, self.cache_read),
            ("audio_in", heard, self.input),
            ("image_in", min(inside.image_in, total - cached - heard), self.input),
            ("audio_out", min(inside.audio_out, output), self.output),
            ("image_out", min(inside.image_out, output - min(inside.audio_out, output)), self.output),
            ("search", inside.searches, 0.0),
        )
        return sum(count * (self.more[kind] - text) for kind, count, text in parts if kind in self.more)


class Prices:
    """One configuration's prices. Safe to use from several threads."""

    def __init__(
        self,
        overrides: Mapping[str, Price],
        free: frozenset[str] = frozenset(),
        subscriptions: frozenset[str] = frozenset(),
    ) -> None:
        """``free`` and ``subscriptions`` are provider ids."""
        self._overrides = tuple((glob, _of_override(price)) for glob, price in overrides.items())
        self._free = free
        self._subscriptions = subscriptions

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Prices":
        providers = snapshot.providers.values()
        return cls(
            snapshot.governance.prices,
            frozenset(one.id for one in providers if _costs_nothing(one)),
            frozenset(one.id for one in providers if one.tier == "subscription"),
        )

    def cost(self, provider: str, model: str, usage: Usage, when: float, tier: Tier | None = None) -> Cost:
        """Of one answered call. ``tier``: how it was paid for, when that is not how the provider usually is."""
        override = self._override(provider, model)
        listed = override or tariff(provider, model, when)
        reported = usage.input is not None or usage.output is not None
        worth = _whole(listed.price(usage)) if listed is not None and reported else None
        if override is not None:
            return Cost(worth, usage.estimated, "override", worth)
        match self._paid(provider, model, tier):
            case "free":
                return Cost(0, estimated=False, source="free", worth=worth)
            case "subscription":
                return Cost(0, estimated=False, source="subscription", worth=worth)
            case _ if provider == "openrouter" and (bill := detail(usage).bill) is not None:
                micro = _whole(bill * MICRO)
                return Cost(micro, usage.estimated, "provider", micro if worth is None else worth)
            case _:
                source: Source = "unknown" if listed is None else "genai-prices"
                return Cost(worth, usage.estimated, source, worth)

    def estimate(
        self,
        provider: str,
        model: str,
        input_tokens: int,
        output_tokens: int,
        when: float,
        *,
        tier: Tier | None = None,
        hour: bool = False,
    ) -> int | None:
        """Micro-dollars that a call may cost at most; 0 for what costs nothing, None when the price is unknown.

        ``hour``: it may write to caches that last an hour.
        """
        override = self._override(provider, model)
        if override is None and self._paid(provider, model, tier) is not None:
            return 0
        listed = override or tariff(provider, model, when)
        if listed is None:
            return None
        plain = Usage(input=input_tokens, output=output_tokens)
        extra: Extra = {CLAUDE: {"cache_creation": {HOUR: input_tokens}}} if hour else {}
        cached = Usage(input=input_tokens, cache_write=input_tokens, output=output_tokens, extra=extra)
        return math.ceil(max(listed.price(plain), listed.price(cached)))

    def per_million(
        self, provider: str, model: str, when: float | None = None, *, tier: Tier | None = None
    ) -> float | None:
        """US dollars for a million tokens, three parts input to one part output; None when unknown."""
        override = self._override(provider, model)
        if override is None and self._paid(provider, model, tier) is not None:
            return 0.0
        listed = override or tariff(provider, model, when)
        return None if listed is None else (3 * listed.input + listed.output) / 4

    def _override(self, provider: str, model: str) -> Tariff | None:
        if not self._overrides:
            return None
        names = (f"{provider}/{model}", model)
        return next((found for glob, found in self._overrides if any(matches(glob, name) for name in names)), None)

    def _paid(self, provider: str, model: str, tier: Tier | None) -> Literal["free", "subscription"] | None:
        """How a call is paid for that is not paid by the token."""
        if tier == "free" or provider in self._free or (provider == "openrouter" and model.endswith(":free")):
            return "free"
        if tier == "subscription" or (tier is None and provider in self._subscriptions):
            return "subscription"
        return None


def paid_as(provider: Provider | None, headers: Mapping[str, str], *, origin: bool) -> Tier:
    """How a call is paid for. The client's own call: by its login where it shows one, by the token where it has a key.

    ``headers``: the client's, found by lower-case name.
    """
    if provider is None:
        return "subscription"
    if origin and provider.format == "anthropic-messages" and "authorization" in headers:
        return "subscription" if has_login(headers) else "api-key"
    return provider.tier


def has_login(headers: Mapping[str, str]) -> bool:
    """Whether a tool shows a login of a subscription, and no key that is paid by use."""
    token = headers.get("authorization", "").removeprefix("Bearer ")
    return bool(token) and "x-api-key" not in headers and not token.startswith("sk-ant-api")


def warm() -> None:
    """Import the price list in a thread, so that the first call need not wait for it."""
    threading.Thread(target=_provider, args=("openai",), daemon=True, name="price list").start()


def tariff(provider: str, model: str, when: float | None = None) -> Tariff | None:
    """The price list's entry for a model of our registry's provider at an instant (Unix seconds; None is now)."""
    return _tariff_in(provider, model, int(time.time() if when is None else when) // 60)


@lru_cache(maxsize=512)
def _tariff_in(provider: str, model: str, minute: int) -> Tariff | None:
    """Prices may depend on the day and on the time of day."""
    found = _find(provider, model)
    return None if found is None else _of_list(found.get_prices(datetime.fromtimestamp(minute * 60, UTC)))


@lru_cache(maxsize=64)
def _provider(listed: str) -> "listing.Provider | None":
    from genai_prices import data_snapshot  # noqa: PLC0415  # slow

    return data_snapshot.find_provider_by_id(data_snapshot.get_snapshot().providers, listed)


@lru_cache(maxsize=1024)
def _find(provider: str, model: str) -> "listing.ModelInfo | None":
    listed = LISTED.get(provider)
    owner = _provider(listed) if listed is not None and model else None
    if owner is None:
        return None
    from genai_prices import data_snapshot  # noqa: PLC0415  # slow

    everyone = data_snapshot.get_snapshot().providers
    for name in dict.fromkeys((model.lower(), model.lower().rpartition("/")[2])):
        if found := owner.find_model(name, all_providers=everyone):
            return found
    return None


def _of_list(prices: "listing.ModelPrice") -> Tariff | None:
    """A tariff of the list's ``ModelPrice``; None for a model that is not sold by text tokens."""
    if prices.input_mtok is None and prices.output_mtok is None:
        return None
    kinds = (prices.input_mtok, prices.output_mtok, prices.cache_read_mtok, prices.cache_write_mtok)
    kinds = (*kinds, getattr(prices, "cache_write_1h_mtok", None))
    request = float(getattr(prices, "requests_kcount", None) or 0) * MICRO / 1000
    more: dict[Kind, float] = {}
    for kind, name in _OTHER.items():
        price = getattr(prices, name, None)
        if price is not None:
            more[kind] = float(getattr(price, "base", price)) * (MICRO / 1000 if kind == "search" else 1)
    starts = sorted({tier.start for kind in kinds for tier in getattr(kind, "tiers", ())})
    result: Tariff | None = None
    for start, above in reversed(list(zip([0, *starts], [*starts, None], strict=True))):
        read = [_at(kind, start) for kind in kinds]
        result = _tariff(*read, request=request, above=above, long=result, more=more)
    return result


def _at(kind: "Decimal | listing.TieredPrices | None", start: int) -> float | None:
    """A price of the list for inputs of more than ``start`` tokens."""
    if kind is None or isinstance(kind, Decimal):
        return None if kind is None else float(kind)
    return float(next((tier.price for tier in reversed(kind.tiers) if start >= tier.start), kind.base))


def _of_override(price: Price) -> Tariff:
    return _tariff(price.input, price.output, price.cache_read, price.cache_write, None, request=price.request * MICRO)


def _tariff(
    tokens_in: float | None,
    tokens_out: float | None,
    read: float | None,
    write: float | None,
    hour: float | None,
    *,
    request: float,
    above: int | None = None,
    long: Tariff | None = None,
    more: Mapping[Kind, float] | None = None,
) -> Tariff:
    plain = tokens_in or 0.0
    stored = plain if write is None else write
    return Tariff(
        plain,
        tokens_out or 0.0,
        plain if read is None else read,
        stored,
        stored if hour is None else hour,
        request,
        above,
        long,
        more or {},
    )


def _whole(micro: float) -> int:
    return round(micro)


def _costs_nothing(provider: Provider) -> bool:
    """Tier free, or a service of one's own on this machine; a vendor that is reached through this machine is paid."""
    return provider.tier == "free" or (provider.id not in LISTED and _is_loopback(provider.base_url))


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
