"""Catalogues: every key everywhere, the same placeholders, the plural forms of the language; who gets which language."""

import json
import re
from pathlib import Path

import pytest

from omniroute_addon.web import languages
from omniroute_addon.web.languages import ENGLISH, LANGUAGES, LOCALES, Language, choose, language, placeholders
from omniroute_addon.web.plurals import categories

OTHERS = [code for code in LANGUAGES if code != ENGLISH]
SOURCE = Path(languages.__file__).parent
_SUFFIX = re.compile(r"_(zero|one|two|few|many|other)$")
_ASKED = re.compile(r"""\bt\(\s*["']([a-z_]+\.[a-z_0-9]+)["']\s*[,)]""")


def keys(code: str) -> set[str]:
    """Plural forms count as one key."""
    return {_SUFFIX.sub("", key) for key in language(code).words}


@pytest.mark.parametrize("code", OTHERS)
def test_a_catalogue_has_the_keys_of_english_and_no_others(code: str) -> None:
    assert (keys(ENGLISH) - keys(code), keys(code) - keys(ENGLISH)) == (set(), set())


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_plural_has_every_form_of_its_language(code: str) -> None:
    words = language(code).words
    plural = {_SUFFIX.sub("", key) for key in language(ENGLISH).words if key.endswith("_other")}
    missing = [f"{key}_{form}" for key in plural for form in categories(code) if f"{key}_{form}" not in words]
    assert missing == []


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_has_the_placeholders_of_english(code: str) -> None:
    english, words = language(ENGLISH).words, language(code).words

    def wanted(key: str) -> frozenset[str]:
        return placeholders(english.get(key) or english.get(_SUFFIX.sub("_other", key), ""))

    # "one" and "two" may say the number in words.
    wrong = [key for key, text in words.items() if not placeholders(text) <= wanted(key)]
    lost = [key for key, text in words.items() if not _SUFFIX.search(key) and placeholders(text) != wanted(key)]
    assert (wrong, lost) == ([], [])


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_catalogue_is_flat_and_in_the_order_of_english(code: str) -> None:
    for path in (LOCALES / code).glob("*.json"):
        words = json.loads(path.read_text())
        order = [_SUFFIX.sub("", key) for key in json.loads((LOCALES / ENGLISH / path.name).read_text())]
        found = list(dict.fromkeys(_SUFFIX.sub("", key) for key in words))
        assert all(isinstance(text, str) and text for text in words.values())
        assert found == [key for key in dict.fromkeys(order) if key in found], path


def test_every_key_that_a_template_asks_for_is_there() -> None:
    asked = {
        key
        for path in [*(SOURCE / "templates").glob("*.html"), *SOURCE.rglob("*.py")]
        for key in _ASKED.findall(path.read_text())
    }
    assert asked
    assert asked - keys(ENGLISH) == set()


def test_what_a_language_lacks_is_said_in_english() -> None:
    assert Language("de", {}).say("common.apply") == "Apply"


def test_a_key_that_nobody_has_is_its_own_text() -> None:
    assert language("de").say("no.such") == "no.such"


def test_values_are_put_where_they_belong_and_nothing_else_is_touched() -> None:
    spoken = Language("en", {"a.b": "{{who}} of {{what}} {x}"})
    assert spoken.say("a.b", who="{{what}}") == "{{what}} of {{what}} {x}"


def test_a_number_chooses_the_form() -> None:
    spoken = Language("pl", {"a.b_one": "one", "a.b_few": "few {{count}}", "a.b_many": "many", "a.b_other": "other"})
    assert [spoken.say("a.b", count=number) for number in (1, 3, 5)] == ["one", "few 3", "many"]


@pytest.mark.parametrize(
    "cookie, accept, code",
    [
        ("de", "ar", "de"),
        ("xx", "ar,en;q=0.5", "ar"),
        (None, "eo;q=0.9, de-AT;q=0.8", "de"),
        (None, "en-GB,de;q=0.9", "en"),
        (None, "nb-NO,nb;q=0.9,en;q=0.8", "no"),
        (None, "nn", "no"),
        (None, "tl-PH,en;q=0.5", "fil"),
        (None, "pt-PT", "pt"),
        (None, "pt-br,en;q=0.5", "pt-BR"),
        (None, "es-419", "es"),
        (None, "zh", "zh-CN"),
        (None, "zh-TW,zh;q=0.9,en;q=0.8", "zh-CN"),
        (None, "zh-Hans-CN", "zh-CN"),
        (None, "ms-MY,nl;q=0.9", "ms"),
        (None, "", "en"),
        (None, "de;q=nonsense,,;q=", "en"),
        ("../../etc/passwd", "*", "en"),
        (None, "he-IL,en;q=0.5", "he"),
        (None, "iw", "he"),
        (None, "in-ID,en;q=0.9", "id"),
        (None, "ja-JP,ko;q=0.9", "ja"),
    ],
)
def test_the_visitor_s_language(cookie: str | None, accept: str, code: str) -> None:
    assert choose(cookie, accept).code == code


def test_arabic_and_hebrew_run_from_right_to_left() -> None:
    assert [code for code in LANGUAGES if language(code).direction == "rtl"] == ["ar", "he"]
    assert (language("he").arrow, language("fi").arrow) == ("←", "→")
