"""The words of the pages: one catalogue per language and page, ``locales/LANGUAGE/PAGE.json``, in i18next's JSON.

A key is ``page.key``. English is the source: it has every key, and what another language lacks is said in English.
Placeholders are ``{{name}}``. Where a number decides the form, a key has one entry for each CLDR plural category,
``key_one`` and ``key_other``, and is asked for with ``count``.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from omniroute_addon.web.plurals import category

LOCALES = Path(__file__).parent / "locales"
ENGLISH = "en"
RIGHT_TO_LEFT = frozenset({"ar", "he"})
LANGUAGES: Mapping[str, str] = {
    "en": "English",
    "ar": "العربية",
    "bg": "Български",
    "da": "Dansk",
    "de": "Deutsch",
    "es": "Español",
    "fi": "Suomi",
    "fil": "Filipino",
    "fr": "Français",
    "he": "עברית",
    "hi": "हिन्दी",
    "hu": "Magyar",
    "id": "Bahasa Indonesia",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "ms": "Bahasa Melayu",
    "nl": "Nederlands",
    "no": "Norsk",
    "pl": "Polski",
    "pt": "Português",
    "pt-BR": "Português (Brasil)",
    "ro": "Română",
    "ru": "Русский",
    "sk": "Slovenčina",
    "sv": "Svenska",
    "th": "ไทย",
    "uk": "Українська",
    "vi": "Tiếng Việt",
    "zh-CN": "简体中文",
}
"""Each by its own name, in the order of the selector."""
ALIASES: Mapping[str, str] = {"in": "id", "iw": "he", "nb": "no", "nn": "no", "tl": "fil"}
"""What browsers also call a language."""
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    words: Mapping[str, str]

    @property
    def direction(self) -> str:
        return "rtl" if self.code in RIGHT_TO_LEFT else "ltr"

    @property
    def arrow(self) -> str:
        """Onwards, as this language is read."""
        return "←" if self.code in RIGHT_TO_LEFT else "→"

    def say(self, key: str, /, **values: object) -> str:
        """The text of a key; the key itself when no language has it, so that a page never fails for a word."""
        count = values.get("count")
        found = self._find(key, count)
        if found is None and self.code != ENGLISH:
            found = language(ENGLISH)._find(key, count)  # noqa: SLF001 -- another of this class
        return key if found is None else fill(found, values)

    def _find(self, key: str, count: object) -> str | None:
        if isinstance(count, int):
            for suffix in (category(self.code, count), "other"):
                if (found := self.words.get(f"{key}_{suffix}")) is not None:
                    return found
        return self.words.get(key)


def fill(text: str, values: Mapping[str, object]) -> str:
    return _PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), text)


def placeholders(text: str) -> frozenset[str]:
    return frozenset(_PLACEHOLDER.findall(text))


@cache
def language(code: str) -> Language:
    """The catalogue of a language; English for one that is not there."""
    if code not in LANGUAGES:
        code = ENGLISH
    words: dict[str, str] = {}
    for path in sorted((LOCALES / code).glob("*.json")):
        content: dict[str, Any] = orjson.loads(path.read_bytes())
        words |= {f"{path.stem}.{key}": text for key, text in content.items()}
    return Language(code, words)


def choose(cookie: str | None, accept: str) -> Language:
    """The language of a visitor: what was chosen, else what the browser asks for."""
    if cookie in LANGUAGES:
        return language(cookie)
    wanted: list[tuple[float, str]] = []
    for part in accept.split(",")[:20]:
        name, _, quality = part.strip().partition(";q=")
        try:
            wanted.append((-float(quality or 1), name.strip()))
        except ValueError:
            continue
    for _, name in sorted(wanted, key=lambda one: one[0]):
        if found := _known(name):
            return language(found)
    return language(ENGLISH)


def _known(name: str) -> str | None:
    """``pt-PT`` is content with ``pt``, ``zh`` with ``zh-CN``."""
    lowered = name.lower()
    codes = {code.lower(): code for code in LANGUAGES}
    base = lowered.partition("-")[0]
    base = ALIASES.get(base, base)
    return codes.get(lowered) or codes.get(base) or next((codes[c] for c in codes if c.partition("-")[0] == base), None)


type Say = Callable[..., str]
