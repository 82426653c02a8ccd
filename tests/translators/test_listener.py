"""The cheap way of reading along learns what the format's parser learns from the same bytes, whatever they are."""

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import hub_cases
from tests.servers import answers
from translators import FORMATS, FormatError, hub
from translators.fold import unfold
from translators.format import StreamParser
from translators.listener import Listener

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "recordings"
ROWS: list[dict[str, Any]] = [
    row
    for path in sorted(RECORDINGS.glob("*.jsonl"))
    for row in map(json.loads, path.read_text().splitlines())
    if row["stream"] and row["format"] in FORMATS
]
NAMES = sorted(FORMATS)
every_format = pytest.mark.parametrize("name", NAMES)

TEXTS = (
    *("word ", "w", "", " ", "\n", "Grüße 🕰", 'a "quoted" word', "back\\slash", "{", "{}", '{"a": 1}', "}", "<think>"),
    *("</think>", "</", "think>", "[DONE]", "text", "content", "0", "data: x\n\ndata: y", "\u2028", "\x7f", "a" * 5000),
)
pieces_of_text = st.lists(st.sampled_from(TEXTS) | st.text(max_size=8), max_size=12)


class Counting:
    """A parser that counts the events it has to read."""

    def __init__(self, parser: StreamParser) -> None:
        self._parser = parser
        self.read = 0

    def feed(self, data: bytes) -> list[hub.Event]:
        self.read += data.count(b"data:")
        return self._parser.feed(data)

    def close(self) -> list[hub.Event]:
        return self._parser.close()


def learned(parser: StreamParser, data: bytes, cuts: Iterable[int] = ()) -> list[object]:
    """All that was read, with the text deltas of a part joined, and the usage as it stood at the end."""
    said: dict[int, list[str]] = {}
    rest: list[object] = []
    usage = hub.Usage()

    def take(events: list[hub.Event]) -> None:
        nonlocal usage
        for event in events:
            match event:
                case hub.PartDelta(index, hub.TextDelta(text) | hub.ArgumentsDelta(text)):
                    said.setdefault(index, []).append(text)
                case hub.UsageReported(more):
                    usage = usage.merged(more)
                case _:
                    rest.append(event)

    try:
        for start, end in pairwise([0, *sorted(cuts), len(data)]):
            take(parser.feed(data[start:end]))
        take(parser.close())
    except FormatError:  # of several faults in one piece, either may be met first
        return ["broken"]
    return [*rest, {index: "".join(texts) for index, texts in said.items()}, usage]


def same(name: str, data: bytes, cuts: Iterable[int] = ()) -> None:
    edges = [cut % (len(data) + 1) for cut in cuts]
    full = learned(FORMATS[name].stream_parser(), data, edges)
    assert learned(Listener(FORMATS[name].stream_parser()), data, edges) == full


def stream(name: str, pieces: Iterable[str], answer: hub.Response = hub_cases.THINKING_ANSWER) -> bytes:
    """An answer of several parts, each with ``pieces`` as further deltas of its text."""
    renderer = FORMATS[name].stream_renderer(hub_cases.TOOLS, [])
    out: list[bytes] = []
    for event in unfold(answer):
        out.append(renderer.render(event))
        match event:
            case hub.PartDelta(index, hub.TextDelta()):
                out += [renderer.render(hub.PartDelta(index, hub.TextDelta(text))) for text in pieces]
            case hub.PartDelta(index, hub.ArgumentsDelta()):
                out += [renderer.render(hub.PartDelta(index, hub.ArgumentsDelta(" "))) for _ in pieces]
            case _:
                pass
    return b"".join(out) + renderer.close()


# ── it agrees ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(not ROWS, reason="the recordings are not part of the repository")
@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 30])
@every_format
def test_it_agrees_on_all_recordings(name: str, size: int) -> None:
    for row in ROWS:
        if row["format"] == name:
            data = row["response"].encode()
            same(name, data[: 20_000 if size == 1 else None], range(size, len(data[:20_000]), size))


@every_format
@given(pieces=pieces_of_text, cuts=st.lists(st.integers(0, 1 << 20), max_size=8))
def test_it_agrees_under_any_split(name: str, pieces: list[str], cuts: list[int]) -> None:
    same(name, stream(name, pieces), cuts)


@every_format
@given(
    pieces=pieces_of_text,
    cuts=st.lists(st.integers(0, 1 << 20), max_size=4),
    ascii_only=st.booleans(),
    gap=st.sampled_from(["\n\n", "\r\n\r\n", "\r\r", "\n\n\n", "\n: ping\n\n", "\n\r\n"]),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]),
)
def test_it_agrees_on_any_spelling(
    name: str, pieces: list[str], cuts: list[int], *, ascii_only: bool, gap: str, separators: tuple[str, str]
) -> None:
    out: list[str] = []
    for event in stream(name, pieces).decode(errors="surrogatepass").split("\n\n"):
        head, _, data = event.partition("data: ")
        if data.startswith("{"):
            data = json.dumps(json.loads(data), ensure_ascii=ascii_only, separators=separators)
        out.append(f"{head}data: {data}" if data else event)
    same(name, gap.join(out).encode(errors="surrogatepass"), cuts)


@every_format
@given(data=st.data())
def test_it_agrees_on_broken_streams(name: str, data: st.DataObject) -> None:
    whole = stream(name, data.draw(pieces_of_text))
    for _ in range(data.draw(st.integers(1, 3))):
        start, size, to = (data.draw(st.integers(0, len(whole))) for _ in range(3))
        inserted = data.draw(st.binary(max_size=3) | st.just(whole[to : to + size % 400]))
        whole = whole[:start] + inserted + whole[start + size % 60 :]
    same(name, whole, data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))


CHAT = '{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]%s}'
COUNTED = ',"usage":{"prompt_tokens":3,"completion_tokens":%d,"total_tokens":%d},"created":%d,"obfuscation":"%s"'


@pytest.mark.parametrize(
    "texts",
    [
        ["a", "<think>", "b", "</think>", "c"],
        ["<think>", "a", "b", "</think>c", "d"],
        ["a", r"\u00", "41", "b"],
        ["a", r"\ud83d", r"\ude00", "b"],
        ["a", r"\ud83d\ude00", r"\ud83d\ude00", r"\u00e4"],
        ["a", "b\\", "n", "c"],
        ["a", "b", 'c"},"finish_reason":"stop"}],"x":[{"y":{"z":"', "d"],
    ],
)
def test_it_agrees_on_text_that_only_joining_would_repair(texts: list[str]) -> None:
    same("openai-chat", "".join(f"data: {CHAT % (text, '')}\n\n" for text in texts).encode() + b"data: [DONE]\n\n")


def test_it_agrees_on_a_character_cut_between_two_events() -> None:
    head, _, tail = (f"data: {CHAT % ('%', '')}\n\n").encode().partition(b"%")
    pieces = [b"a", b"b", *(bytes([byte]) for byte in "🕰".encode()), b"c"]
    same("openai-chat", b"".join(head + piece + tail for piece in pieces))


@given(counts=st.lists(st.integers(0, 3), max_size=9), cuts=st.lists(st.integers(0, 3000), max_size=3))
def test_it_agrees_on_usage_that_every_event_repeats(counts: list[int], cuts: list[int]) -> None:
    rows = [CHAT % ("w", COUNTED % (n, n + 3, number + 7, "x" * n)) for number, n in enumerate(counts)]
    same("openai-chat", "".join(f"data: {row}\n\n" for row in rows).encode(), cuts)


def test_it_agrees_on_arguments_that_are_repeated_whole() -> None:
    call = '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":%s}}]}}]}'
    first = '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]}}]}'
    texts = ['{"a"', ": ", "1", "}", '{"a": 1}']
    rows = [first, *(call % json.dumps(text) for text in texts), '{"choices":[{"delta":{},"finish_reason":"stop"}]}']
    same("openai-chat", "".join(f"data: {row}\n\n" for row in rows).encode())


# ── it is cheap ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", answers.FORMATS)
def test_a_long_text_costs_the_parser_a_few_events(name: str) -> None:
    said = answers.Answer(pieces=tuple(f"word {number} " for number in range(500)), thinking="Hm.")
    counting = Counting(FORMATS[name].stream_parser())
    listener = Listener(counting)
    listener.feed(b"".join(answers.events(name, said, "a-model")))
    assert counting.read < 20


def test_a_joined_event_reports_the_latest_usage() -> None:
    rows = [CHAT % ("w", COUNTED % (n, n + 3, n, "x" * n)) for n in range(1, 50)]
    counting = Counting(FORMATS["openai-chat"].stream_parser())
    events = Listener(counting).feed("".join(f"data: {row}\n\n" for row in rows).encode())
    usages = [event.usage.output for event in events if isinstance(event, hub.UsageReported)]
    assert (usages[-1], counting.read < 10) == (49, True)


def test_a_stream_in_which_no_event_is_like_another_is_not_studied_for_ever() -> None:
    rows = [CHAT % ("w", f',"x":{n}') for n in range(500)]
    listener = Listener(FORMATS["openai-chat"].stream_parser())
    listener.feed("".join(f"data: {row}\n\n" for row in rows).encode())
    assert listener.shapes < 50
