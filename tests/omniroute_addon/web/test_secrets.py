"""What is replaced in every answer."""

from omniroute_addon.web.secrets import without

KEY = "canary-0123456789abcdef-secret"
KNOWN = frozenset({KEY, "short-key", "tiny"})


def test_a_known_key_is_replaced_whole_and_cut_off() -> None:
    text = f'{{"a": "{KEY}", "b": "{KEY[:20]}", "c": "short-key!"}}'
    assert without(text, KNOWN) == '{"a": "[redacted]", "b": "[redacted]", "c": "[redacted]!"}'


def test_a_short_word_is_no_key() -> None:
    assert without("a tiny house", KNOWN) == "a tiny house"


def test_what_looks_like_a_key_is_replaced_although_nobody_knows_it() -> None:
    keys = ("sk-ant-api03-abcdefghijklmnop", "AIza" + "x" * 35, "ghp_" + "a" * 36, "ya29." + "a" * 30)
    assert [without(f"key {key}.", frozenset()) for key in keys] == ["key [redacted]."] * len(keys)


def test_words_that_only_begin_so_stay() -> None:
    text = "ask-me task-force-of-sixteen-people sk-short eyJhbGciOiJIUzI1NiJ9"
    assert without(text) == text
