"""Which form of a word goes with a whole number: CLDR's cardinal categories of the languages of the pages. Pure."""

from collections.abc import Callable, Mapping

type Rule = Callable[[int], str]


def _other(_number: int) -> str:
    return "other"


def _one(number: int) -> str:
    return "one" if number == 1 else "other"


def _one_with_zero(number: int) -> str:
    return "one" if number in (0, 1) else "other"


def _east_slavic(number: int) -> str:
    tens, ones = number % 100, number % 10
    if ones == 1 and tens != 11:
        return "one"
    return "few" if ones in (2, 3, 4) and tens not in (12, 13, 14) else "many"


def _polish(number: int) -> str:
    if number == 1:
        return "one"
    return "few" if number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14) else "many"


def _slovak(number: int) -> str:
    return "one" if number == 1 else "few" if number in (2, 3, 4) else "other"


def _romanian(number: int) -> str:
    if number == 1:
        return "one"
    return "few" if number == 0 or 1 <= number % 100 <= 19 else "other"


def _hebrew(number: int) -> str:
    return {1: "one", 2: "two"}.get(number, "other")


def _arabic(number: int) -> str:
    if number <= 2:
        return ("zero", "one", "two")[number]
    rest = number % 100
    return "few" if 3 <= rest <= 10 else "many" if rest >= 11 else "other"


def _filipino(number: int) -> str:
    return "other" if number % 10 in (4, 6, 9) and number > 3 else "one"


_RULES: Mapping[Rule, str] = {
    _other: "id ja ko ms th vi zh",
    _one_with_zero: "fr hi pt-BR",
    _east_slavic: "ru uk",
    _polish: "pl",
    _slovak: "cs sk",
    _romanian: "ro",
    _hebrew: "he",
    _arabic: "ar",
    _filipino: "fil phi",
}
_BY_LANGUAGE: Mapping[str, Rule] = {code: rule for rule, codes in _RULES.items() for code in codes.split()}
_SAMPLES = (0, 1, 2, 3, 5, 11, 21, 100)


def category(code: str, number: int) -> str:
    """``zero``, ``one``, ``two``, ``few``, ``many`` or ``other``."""
    rule = _BY_LANGUAGE.get(code) or _BY_LANGUAGE.get(code.partition("-")[0], _one)
    return rule(abs(number))


def categories(code: str) -> frozenset[str]:
    """The forms that a catalogue of this language needs; ``other`` always, for what comes without a rule."""
    return frozenset(category(code, number) for number in _SAMPLES) | {"other"}
