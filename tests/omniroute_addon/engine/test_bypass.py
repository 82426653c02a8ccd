"""Throw-away calls get canned answers that the tools' own SDKs can read; turns of the user never do."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from omniroute_addon.config.governance import Bypass
from omniroute_addon.engine.bypass import NO_TITLE, Canned, answer, canned, title
from omniroute_addon.engine.call import Call
from tests.omniroute_addon.engine.stage import called
from translators import FORMATS, hub
from translators.answer import Answer
from translators.fold import Fold

ALL = Bypass(warmup=True, titles=True, quota_probe=True, count_tokens=True)
CLAUDE = "anthropic-messages"
PATHS = {
    CLAUDE: "/v1/messages",
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "gemini": "/v1beta/models/m:streamGenerateContent?alt=sse",
    "gemini-cli": "/v1internal:streamGenerateContent?alt=sse",
}
TITLE_SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
SHARED = Path(__file__).resolve().parents[4] / "shared"
needs_captures = pytest.mark.skipif(not SHARED.exists(), reason="the shared captures are not there")


def call(body: dict[str, Any], form: str = CLAUDE, path: str = "", operation: str = "generate", **headers: str) -> Call:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return called(form, path or PATHS[form], json.dumps(body).encode(), pairs, operation=operation)


def user(*texts: str, **more: Any) -> dict[str, Any]:
    """Claude Code's body with one message of these text blocks."""
    content = [{"type": "text", "text": text} for text in texts]
    return {"model": "m", "max_tokens": 32000, "messages": [{"role": "user", "content": content}]} | more


TOOLS = [{"name": "Bash", "input_schema": {"type": "object"}}]
QUOTA = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "quota"}]}
COUNT = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "count"}], "tools": TOOLS}
WARMUP = user("Warmup", system="You are a file search specialist", tools=TOOLS)
NAMED = user("<session>\nfix the flaky login test please\n</session>\n\nWrite the title in …", stream=True) | {
    "output_config": {"format": {"type": "json_schema", "schema": TITLE_SCHEMA}},
    "tools": [],
}
TOPIC = user("How do I sort a list?", system="Analyze if … isNewTopic (boolean) and title (string or null)")
PREFILLED = {
    **TOPIC,
    "messages": [*TOPIC["messages"], {"role": "assistant", "content": [{"type": "text", "text": "{"}]}],
}
OLD = user("Please write a 5-10 word title for the following conversation:\n\nUser: sort my photos by date")
OPENCODE = {
    "model": "gpt-5.4-nano",
    "input": [
        {"role": "developer", "content": "You are a title generator. You output ONLY a thread title."},
        {"role": "user", "content": [{"type": "input_text", "text": "Generate a title for this conversation:\n"}]},
        {"role": "user", "content": [{"type": "input_text", "text": '"Say hello using echo"'}]},
    ],
    "stream": True,
}
CODEX = {
    "model": "gpt-5.6-luna",
    "input": [{"role": "user", "content": [{"type": "input_text", "text": "rename the module\nand its tests"}]}],
    "text": {"format": {"type": "json_schema", "name": "title", "strict": True, "schema": TITLE_SCHEMA}},
    "stream": True,
}
TITLE_TURN = '{"thread_source":"thread_title","request_kind":"turn"}'

FOUND = [
    pytest.param(call(QUOTA), "claude-code", Canned("quota_probe", "#", "max_tokens"), id="quota probe"),
    pytest.param(call(WARMUP), "claude-code", Canned("warmup", "Ready."), id="warm-up"),
    pytest.param(call(NAMED), "claude-code", Canned("titles", '{"title":"Fix the flaky login test"}'), id="title"),
    pytest.param(call(TOPIC), "claude-code", Canned("titles", '{"isNewTopic":true,"title":"How do I"}'), id="topic"),
    pytest.param(
        call(PREFILLED), "claude-code", Canned("titles", '"isNewTopic":true,"title":"How do I"}'), id="topic, begun"
    ),
    pytest.param(call(OLD), "claude-code", Canned("titles", "Sort my photos by date"), id="old title"),
    pytest.param(
        call(OPENCODE, "openai-responses"), "opencode", Canned("titles", "Say hello using echo"), id="opencode"
    ),
    pytest.param(
        call(CODEX, "openai-responses", x_codex_turn_metadata=TITLE_TURN),
        "codex",
        Canned("titles", '{"title":"Rename the module"}'),
        id="codex",
    ),
]


@pytest.mark.parametrize("one, client, expected", FOUND)
def test_a_throw_away_call_is_known(one: Call, client: str, expected: Canned) -> None:
    assert canned(replace(one, client=client), ALL) == expected


@pytest.mark.parametrize("one, client, expected", FOUND)
def test_a_kind_that_is_off_goes_its_ordinary_way(one: Call, client: str, expected: Canned) -> None:
    assert canned(replace(one, client=client), ALL.model_copy(update={expected.kind: False})) is None
    assert canned(replace(one, client=client), Bypass()) is None


@pytest.mark.parametrize("one", [param.values[0] for param in FOUND])
def test_other_tools_may_ask_the_same_in_earnest(one: Call) -> None:
    assert canned(replace(one, client="anthropic-sdk"), ALL) is None


def test_the_old_way_of_counting_is_answered_with_an_estimate() -> None:
    found = canned(call(COUNT), ALL)
    assert found is not None
    assert found.kind == "count_tokens"
    assert found.tokens > 5


@pytest.mark.parametrize(
    "one, client",
    [
        pytest.param(call(user("quota")), "claude-code", id="a word of the user's with room for an answer"),
        pytest.param(call(QUOTA | {"system": "x"}), "claude-code", id="a quota probe has no system prompt"),
        pytest.param(call(QUOTA | {"tools": TOOLS}), "claude-code", id="a quota probe has no tools"),
        pytest.param(
            call(user("<system-reminder>x</system-reminder>", "Warmup", tools=TOOLS)), "claude-code", id="typed"
        ),
        pytest.param(call(user("Warmup now")), "claude-code", id="more than the word"),
        pytest.param(call(WARMUP, x_claude_code_request_class="main"), "claude-code", id="the tool says it is a turn"),
        pytest.param(call(NAMED | {"tools": TOOLS}), "claude-code", id="a title with tools"),
        pytest.param(call(user("Write a title for my book")), "claude-code", id="a title in earnest"),
        pytest.param(
            call(user("x", output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}})),
            "claude-code",
            id="other JSON",
        ),
        pytest.param(
            call(OPENCODE | {"tools": [{"type": "function", "name": "f"}]}, "openai-responses"), "opencode", id="tools"
        ),
        pytest.param(call(CODEX, "openai-responses"), "codex", id="a turn of the user's with a schema"),
        pytest.param(
            call(CODEX, "openai-responses", x_codex_turn_metadata='{"thread_source":"user"}'), "codex", id="says user"
        ),
        pytest.param(call(CODEX, "openai-responses", x_codex_turn_metadata="{"), "codex", id="unreadable metadata"),
        pytest.param(
            call({k: v for k, v in CODEX.items() if k != "text"}, "openai-responses", x_codex_turn_metadata=TITLE_TURN),
            "codex",
            id="a title without a schema",
        ),
        pytest.param(
            replace(call(QUOTA), wire=replace(call(QUOTA).wire, body=b'{"messages": "quota"')),
            "claude-code",
            id="broken",
        ),
        pytest.param(call({"messages": []}), "claude-code", id="no messages"),
    ],
)
def test_what_does_not_fit_wholly_goes_its_ordinary_way(one: Call, client: str) -> None:
    assert canned(replace(one, client=client), ALL) is None


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def read(form: str, one: Call, found: Canned) -> hub.Response:
    response = answer(one, found)
    assert response.status == 200
    parser, fold = Answer(FORMATS[form]), Fold()
    for event in (*parser.feed(response.body, response.headers["content-type"]), *parser.close()):
        assert not isinstance(event, hub.Failed)
        fold.add(event)
    return fold.response()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("form", PATHS)
def test_an_answer_is_a_whole_good_answer_of_the_client_s_format(form: str, *, stream: bool) -> None:
    contents = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    bodies: dict[str, dict[str, Any]] = {
        CLAUDE: user("hi", stream=stream),
        "openai-chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream},
        "openai-responses": {"model": "m", "input": "hi", "stream": stream},
        "gemini": contents,
        "gemini-cli": {"model": "m", "request": contents},
    }
    path = PATHS[form] if stream else PATHS[form].replace("streamG", "g").partition("?")[0]
    said = read(form, call(bodies[form], form, path), Canned("titles", "A title"))
    assert [part.text for part in said.parts if isinstance(part, hub.Text)] == ["A title"]
    assert said.stop.reason == "end"
    assert said.usage.output == (None if stream and form == "openai-chat" else 1)  # a chat stream tells when asked


def test_a_stream_has_event_lines_and_says_so() -> None:
    response = answer(call(NAMED), Canned("titles", "A title"))
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.body.startswith(b"event: message_start\ndata: ")
    assert response.body.endswith(b"\n\n")


def test_a_gemini_array_stream_is_json() -> None:
    one = call({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}, "gemini", PATHS["gemini"].partition("?")[0])
    response = answer(one, Canned("titles", "A title"))
    assert response.headers["content-type"] == "application/json"
    assert json.loads(response.body)


def test_a_probe_for_one_token_ends_at_its_limit() -> None:
    found = canned(call(QUOTA), ALL)
    assert found is not None
    said = json.loads(answer(call(QUOTA), found).body)
    assert (said["stop_reason"], said["usage"]["input_tokens"], said["usage"]["output_tokens"]) == ("max_tokens", 1, 1)


@pytest.mark.parametrize(
    "form, path, body, field",
    [
        (CLAUDE, "/v1/messages/count_tokens", user("Count me, please"), "input_tokens"),
        ("gemini", "/v1beta/models/m:countTokens", {"contents": [{"parts": [{"text": "Count me"}]}]}, "totalTokens"),
    ],
)
def test_tokens_are_counted_here_for_any_client(form: str, path: str, body: dict[str, Any], field: str) -> None:
    one = call(body, form, path, operation="count")
    found = canned(replace(one, client="anybody"), ALL)
    assert found is not None
    response = answer(one, found)
    assert json.loads(response.body)[field] > 0
    assert response.headers["x-omniroute-estimated"] == "true"
    assert canned(replace(one, client="anybody"), ALL.model_copy(update={"count_tokens": False})) is None


# ── titles ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text, expected",
    [
        ("fix the flaky login test now", "Fix the flaky login test"),
        ("\n\n```\nfoo()\n```", "Foo()"),
        ("<system-reminder>\nx\n</system-reminder>\nhello there.", "Hello there"),
        ("<session>\nübersetze das\n</session>\n\nWrite the title", "Übersetze das"),
        ("a" * 80, "A" + "a" * 49),
        ('"Say hi"', "Say hi"),
        ("", NO_TITLE),
        ("   \n``` ", NO_TITLE),
        ("...", NO_TITLE),
    ],
)
def test_a_title_is_the_first_words(text: str, expected: str) -> None:
    assert title(text) == expected


# ── what real tools and real users send ─────────────────────────────────────────────────────────────────────────────


def rows(file: Path) -> Iterator[dict[str, Any]]:
    with file.open() as lines:
        yield from map(json.loads, lines)


def captured() -> Iterator[tuple[str, Call]]:
    for file in sorted((SHARED / "client-requests").glob("*.jsonl")):
        for row in rows(file):
            form = next((form for form, path in PATHS.items() if _same(path, row["path"])), None)
            if form is None or not isinstance(row["body"], dict):
                continue
            operation = "count" if "count" in row["path"] else "generate"
            headers = {name.lower().replace("-", "_"): str(value) for name, value in dict(row["headers"]).items()}
            yield file.stem, call(row["body"], form, row["path"], operation, **headers)


def _same(known: str, path: str) -> bool:
    bare, stem = path.partition("?")[0], known.partition("?")[0].rpartition(":")[2].rpartition("/")[2]
    if "enerateContent" in bare:
        return ("v1internal" in bare) == ("v1internal" in known) and "GenerateContent" in known
    return bare.endswith((f"/{stem}", f"/{stem}/count_tokens"))


@needs_captures
def test_of_all_captured_calls_the_throw_away_ones_are_found_and_no_other() -> None:
    kinds = Counter(
        (client, found.kind)
        for client, one in captured()
        if (found := canned(replace(one, client=client), ALL)) is not None
    )
    assert kinds == {("claude-code", "count_tokens"): 27, ("claude-code", "titles"): 1, ("opencode", "titles"): 2}
    assert sum(1 for _ in captured()) > sum(kinds.values()) + 10


@needs_captures
def test_the_captured_titles_are_their_users_words() -> None:
    titles = {
        found.text
        for client, one in captured()
        if (found := canned(replace(one, client=client), ALL)) and found.kind == "titles"
    }
    assert titles == {'{"title":"Hello there"}', "Say hello using echo"}


@needs_captures
@pytest.mark.parametrize("client", ["claude-code", "codex", "opencode"])
def test_no_recorded_call_is_taken_for_a_throw_away_one(client: str) -> None:
    names = {"anthropic": CLAUDE}
    wrong: list[str] = []
    seen = 0
    for file in sorted((SHARED / "recordings").glob("open-*.jsonl")):
        for row in rows(file):
            form = names.get(row["format"], row["format"])
            if form in PATHS and isinstance(row["request"], dict) and "count" not in row["uri"].lower():
                uri = urlsplit(row["uri"])
                seen += 1
                one = call(row["request"], form, f"{uri.path}?{uri.query}")
                if canned(replace(one, client=client), ALL) is not None:
                    wrong.append(row["id"])
    assert (wrong, seen > 800) == ([], True)
