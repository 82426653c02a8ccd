"""Seven files of an attempt, from real exchanges."""

import json

import pytest

from omniroute_addon.engine.call import Call
from omniroute_addon.engine.stages import CUT, NAMES, Stages, stages
from omniroute_addon.ledger import ExchangeRecord
from omniroute_addon.logs.redaction import Redaction
from tests.omniroute_addon import loopback
from tests.omniroute_addon.engine.stage import CHAT, CHAT_WHOLE, WHOLE, Stage, claude, failure, scene
from tests.omniroute_addon.loopback import Answer, Provider
from tests.servers import faults

GOOD = loopback.stream(*CHAT)
QUOTA = failure(faults.quota("openai-chat"))


def made(answers: list[Answer], call: Call | None = None, targets: str = "a/m", limit: int = 1 << 20) -> list[Stages]:
    """The stages of one call to targets that answer so."""
    ended: list[tuple[Call, ExchangeRecord]] = []

    async def main(on: Stage, _one: Provider, _two: Provider) -> None:
        await on.ask(call or claude())
        assert on.last is not None
        ended.append((on.last.call, on.record))

    scene(main, answers, [GOOD], targets)
    ((asked, record),) = ended
    return stages(asked, record, Redaction(), limit)


def test_an_attempt_has_all_seven() -> None:
    (one,) = made([GOOD])
    assert tuple(one.files) == NAMES


def test_the_folder_names_source_destination_model_and_time() -> None:
    (one,) = made([GOOD])
    source, destination, model, when = one.folder.split("_")
    assert (source, destination, model, when.endswith("-exchange-1")) == (
        "anthropic-messages",
        "openai-chat",
        "m",
        True,
    )


def test_the_client_s_request_is_there_without_its_secrets() -> None:
    (one,) = made([GOOD])
    asked = json.loads(one.files[NAMES[0]])
    assert dict(asked["headers"])["authorization"] == "[redacted]"
    assert (asked["body"]["model"], asked["body"]["messages"][0]["content"]) == ("claude-opus-4-6", "hello")


def test_the_source_file_says_how_it_was_decided() -> None:
    (one,) = made([GOOD])
    source = json.loads(one.files[NAMES[1]])
    assert (source["format"], source["route"], source["combo"]) == ("anthropic-messages", "routes[0]", "combo")


def test_the_request_in_openais_format_and_as_the_target_got_it() -> None:
    (one,) = made([GOOD])
    openai, sent = json.loads(one.files[NAMES[2]]), json.loads(one.files[NAMES[3]])
    assert (openai["body"]["messages"], sent["body"]["model"], sent["target"], sent["account"]) == (
        [{"role": "user", "content": "hello"}],
        "m",
        "a/m",
        "a-1",
    )


def test_the_provider_s_answer_is_there_as_it_came() -> None:
    (one,) = made([GOOD])
    head, _, body = one.files[NAMES[4]].partition(b"\n\n")
    assert (head.startswith(b"status 200\noutcome: used"), body) == (True, b"".join(CHAT))


def test_the_answer_in_openais_format_and_as_the_client_got_it() -> None:
    (one,) = made([GOOD])
    assert b'"content":"Hel"' in one.files[NAMES[5]].replace(b'": "', b'":"')
    assert one.files[NAMES[6]].startswith(b"status 200\n\nevent: message_start")


def test_a_whole_answer_is_said_whole() -> None:
    (one,) = made([loopback.json(200, CHAT_WHOLE)], claude(WHOLE))
    assert json.loads(one.files[NAMES[5]])["choices"][0]["message"]["content"] == "Hello"


def test_every_attempt_has_a_folder_and_only_the_last_the_client_s_answer() -> None:
    first, second, third = made([QUOTA, QUOTA], targets="a/m, b/n")
    assert [tuple(one.files) for one in (first, second, third)] == [NAMES[:6], NAMES[:6], NAMES]
    assert b"outcome: " in first.files[NAMES[4]]
    assert first.folder != second.folder != third.folder


def test_a_request_that_no_format_understands_is_still_written() -> None:
    (*_, last) = made([GOOD], claude(b'{"model":"claude-x","messages":7}'))
    assert "not translated" in json.loads(last.files[NAMES[2]])


def test_a_long_file_is_cut_off() -> None:
    (one,) = made([GOOD], limit=100)
    assert [len(data) <= 100 + len(CUT) for data in one.files.values()] == [True] * 7


@pytest.mark.parametrize("model", ["../../etc/passwd", "a/b:c d", "", "." * 300, "\u202e\x00"])
def test_no_name_leads_out_of_the_folder(model: str) -> None:
    (one, *_) = made([GOOD], claude(json.dumps({"model": model, "messages": []}).encode()), targets="a/*")
    assert ("/" in one.folder, one.folder.startswith("."), len(one.folder) < 250) == (False, False, True)
