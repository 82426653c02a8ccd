"""Events and whole answers are two forms of one thing."""

import pytest

from tests import hub_cases as cases
from translators import hub
from translators.fold import Fold, merged_extra, unfold

SIGNATURE = hub.Signature("c2ln", "anthropic-messages")
RICH = hub.Response(
    "r",
    "m",
    (
        hub.Thinking("Hm.", SIGNATURE),
        hub.Thinking("", SIGNATURE, redacted=True),
        hub.Text("See there.", (hub.Citation("https://example.org"),), {"gemini": {"a": 1}}),
        hub.Refusal("No."),
        hub.ToolCall("1", "run", "ls -l", custom=True, namespace="ns"),
        hub.ToolCall("2", "get", "{}", signature=SIGNATURE),
        hub.Media("image", "image/png", data=cases.PNG),
        hub.Opaque("anthropic-messages", {"type": "server_tool_use"}),
    ),
    hub.Stop("tool_calls", raw="tool_use"),
    cases.USAGE,
    1700000000,
    {"openai-chat": {"system_fingerprint": "fp"}},
)


def folded(events: list[hub.Event]) -> hub.Response:
    fold = Fold()
    for event in events:
        fold.add(event)
    return fold.response()


@pytest.mark.parametrize("answer", [RICH, *cases.ANSWERS.values()])
def test_folding_what_was_unfolded_gives_the_same_answer(answer: hub.Response) -> None:
    assert folded(unfold(answer)) == answer


def test_interleaved_deltas_go_to_their_parts_in_order_of_start() -> None:
    answer = folded(
        [
            hub.Started("r", "m"),
            hub.PartStarted(5, hub.Text("a")),
            hub.PartStarted(2, hub.Text("x")),
            hub.PartDelta(2, hub.TextDelta("y")),
            hub.PartDelta(5, hub.TextDelta("b")),
            hub.PartEnded(2),
            hub.PartEnded(5),
            hub.Finished(hub.Stop("end")),
        ]
    )
    assert answer.parts == (hub.Text("ab"), hub.Text("xy"))


def test_a_call_without_arguments_has_an_empty_object() -> None:
    assert folded([hub.PartStarted(0, hub.ToolCall("1", "now"))]).parts == (hub.ToolCall("1", "now", "{}"),)


def test_later_extras_join_the_part() -> None:
    events: list[hub.Event] = [
        hub.PartStarted(0, hub.Text("", extra={"gemini": {"a": 1}})),
        hub.PartDelta(0, hub.ExtraDelta({"gemini": {"b": 2}})),
    ]
    assert folded(events).parts == (hub.Text("", extra={"gemini": {"a": 1, "b": 2}}),)


def test_usage_reports_add_up() -> None:
    answer = folded([hub.UsageReported(hub.Usage(input=7)), hub.UsageReported(hub.Usage(output=3))])
    assert answer.usage == hub.Usage(input=7, output=3)


def test_failure_is_kept() -> None:
    fold = Fold()
    assert fold.failure is None
    fold.add(hub.Failed(cases.FAILURES["server"]))
    assert fold.failure is cases.FAILURES["server"]


def test_losses_are_not_its_matter() -> None:
    assert folded([hub.Lost(hub.Loss("x", "y"))]).parts == ()


def test_newer_extras_hold() -> None:
    assert merged_extra({"a": {"x": 1, "y": 1}}, {"a": {"x": 2}, "b": {}}) == {"a": {"x": 2, "y": 1}, "b": {}}
