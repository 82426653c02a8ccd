"""A provider's refusal is the right exception in every client's SDK, with the provider's own words."""

import json
from collections.abc import Iterator

import anthropic
import openai
import pytest
from google.genai import errors as google

from tests.matrix import vendors, wire
from tests.matrix.clients import Client, clients
from tests.matrix.recordings import Recording, recordings
from tests.matrix.score import request, translated
from translators.bridge import bridge
from translators.formats import FORMATS

every_client = pytest.mark.parametrize("client", sorted(FORMATS))
every_source = pytest.mark.parametrize("source", sorted(FORMATS))
SAID = "Your request was turned down because of X-77."
REFUSALS = [recording for recording in recordings() if recording.status != 200]
ANTHROPIC = {
    400: anthropic.BadRequestError,
    401: anthropic.AuthenticationError,
    403: anthropic.PermissionDeniedError,
    404: anthropic.NotFoundError,
    429: anthropic.RateLimitError,
    500: anthropic.InternalServerError,
    503: anthropic.InternalServerError,
}
OPENAI = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    503: openai.InternalServerError,
}


@pytest.fixture(scope="module")
def readers() -> Iterator[dict[str, Client]]:
    made = clients()
    yield made
    for reader in made.values():
        reader.close()


def raised(reader: Client, source: str, client: str, status: int, body: bytes) -> Exception:
    joint = bridge(client, source)
    joint.request(request(client, stream=False))
    answer = joint.error(status, {"content-type": "application/json"}, body)
    assert joint.failure is not None
    with pytest.raises((anthropic.APIStatusError, openai.APIStatusError, google.APIError)) as caught:
        reader.whole(answer.body, answer.status, answer.headers)
    return caught.value


def status_of(error: Exception) -> int:
    match error:
        case anthropic.APIStatusError() | openai.APIStatusError():
            return error.status_code
        case google.APIError():
            return error.code
        case _:
            raise TypeError(error)


def body_of(source: str, status: int) -> bytes:
    match source:
        case "anthropic-messages":
            kinds = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error"}
            kinds |= {404: "not_found_error", 429: "rate_limit_error", 500: "api_error", 503: "overloaded_error"}
            body: object = {"type": "error", "error": {"type": kinds[status], "message": SAID}}
        case "openai-chat" | "openai-responses":
            kinds = {429: "rate_limit_exceeded", 500: "server_error", 503: "server_error"}
            kind = kinds.get(status, "invalid_request_error")
            body = {"error": {"message": SAID, "type": kind, "param": None, "code": None}}
        case _:
            names = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
            names |= {429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}
            body = {"error": {"code": status, "message": SAID, "status": names[status]}}
    return json.dumps(body).encode()


@every_client
@every_source
@pytest.mark.parametrize("status", sorted(OPENAI))
def test_a_refusal_is_the_exception_of_its_status(
    source: str, client: str, status: int, readers: dict[str, Client]
) -> None:
    error = raised(readers[client], source, client, status, body_of(source, status))
    match client:
        case "anthropic-messages":
            assert isinstance(error, ANTHROPIC[status])
        case "openai-chat" | "openai-responses":
            assert isinstance(error, OPENAI[status])
        case _:
            assert isinstance(error, google.ClientError if status < 500 else google.ServerError)
    assert SAID in str(error)


@every_client
@pytest.mark.skipif(not REFUSALS, reason="../shared/recordings is absent")
@pytest.mark.parametrize("recording", REFUSALS, ids=[recording.id for recording in REFUSALS])
def test_a_recorded_refusal_keeps_status_and_words(
    recording: Recording, client: str, readers: dict[str, Client]
) -> None:
    error = raised(readers[client], recording.format, client, recording.status, recording.body.encode())
    assert status_of(error) == recording.status
    assert words(recording.body) in str(error)


def words(body: str) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        return body.strip()
    document = document[0] if isinstance(document, list) else document
    error = document.get("error", document)
    return error if isinstance(error, str) else error["message"]


BROKEN_STREAM = vendors.sse(
    [vendors.chat({"content": "Let me "}), {"error": {"message": SAID, "type": "server_error", "code": None}}]
)


@pytest.mark.parametrize("client", ["anthropic-messages", "gemini"])
def test_an_error_inside_a_stream_is_an_exception_of_the_sdk(client: str, readers: dict[str, Client]) -> None:
    with pytest.raises((anthropic.APIStatusError, google.APIError), match="X-77"):
        readers[client].stream(broken(client))


def test_an_error_inside_a_stream_ends_a_responses_stream_as_failed() -> None:
    *_, last = wire.sse(broken("openai-responses").decode())
    event = json.loads(last)
    assert event["type"] == "response.failed"
    assert SAID in event["response"]["error"]["message"]


def broken(client: str) -> bytes:
    recording = Recording(
        "made", "openai-chat", stream=True, status=200, content_type="text/event-stream", body=BROKEN_STREAM
    )
    out, failure = translated(recording, client, stream=True)
    assert failure is not None
    return out
