"""All targets failed: each SDK raises the class that its users catch, and learns when to come back and what was tried."""

from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors as genai_errors

from tests.e2e.calls import ask, events, post, post_gateway, said_error
from tests.e2e.sdks import SDKS, through
from tests.e2e.targets import routes, targets
from tests.servers import faults
from tests.servers.answers import FORMATS
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy
from tests.servers.steps import Whole

type StartProxy = Callable[..., Proxy]

CLASSES: dict[str, dict[str, tuple[type[Exception], int]]] = {
    "quota": {
        "anthropic-messages": (anthropic.RateLimitError, 429),
        "openai-chat": (openai.RateLimitError, 429),
        "openai-responses": (openai.RateLimitError, 429),
        "gemini": (genai_errors.ClientError, 429),
    },
    "throttle": {
        "anthropic-messages": (anthropic.RateLimitError, 429),
        "openai-chat": (openai.RateLimitError, 429),
        "openai-responses": (openai.RateLimitError, 429),
        "gemini": (genai_errors.ClientError, 429),
    },
    "server-error": {
        "anthropic-messages": (anthropic.InternalServerError, 503),
        "openai-chat": (openai.InternalServerError, 503),
        "openai-responses": (openai.InternalServerError, 503),
        "gemini": (genai_errors.ServerError, 500),
    },
    "login": {
        "anthropic-messages": (anthropic.AuthenticationError, 401),
        "openai-chat": (openai.AuthenticationError, 401),
        "openai-responses": (openai.AuthenticationError, 401),
        "gemini": (genai_errors.ClientError, 401),
    },
}


def _fault(name: str, form: str) -> Whole:
    match name:
        case "quota":
            return faults.quota(form, 7200)
        case "throttle":
            return faults.throttle(form, 60)
        case "login":
            return faults.failure(form, 401, "authentication_error", "Bad key")
        case _:
            return faults.server_error(form)


def _status(error: Any) -> int:
    return error.code if isinstance(error, genai_errors.APIError) else error.status_code


def _headers(error: Any) -> Any:
    return error.response.headers


def _raised(client: str, manner: str, error: type[Exception]) -> Any:
    with SDKS[client]() as sdk, pytest.raises(error) as caught:
        getattr(sdk, manner)("model-0")
    return caught.value


@pytest.mark.parametrize("manner", ["whole", "stream"])
@pytest.mark.parametrize("client", SDKS)
@pytest.mark.parametrize("fault", CLASSES)
def test_the_sdk_raises_its_own_class_and_names_both_targets(
    fault: str,
    client: str,
    manner: str,
    provider: Provider,
    start_proxy: StartProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider.otherwise = lambda request: _fault(fault, str(request.format))
    proxy = start_proxy(targets(up=provider) + routes("up-openai-chat/first", "up-anthropic-messages/second"))
    through(proxy, monkeypatch)
    expected, status = CLASSES[fault][client]
    error = _raised(client, manner, expected)
    assert _status(error) == status
    assert "up-openai-chat/first" in str(error)
    assert "up-anthropic-messages/second" in str(error)


@pytest.mark.parametrize("client", SDKS)
def test_retry_after_is_the_soonest_reset_of_all_targets(
    client: str, provider: Provider, start_proxy: StartProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.script(faults.quota("anthropic-messages", 7200), faults.quota("openai-responses", 1800))
    proxy = start_proxy(targets(up=provider) + routes("up-anthropic-messages/m", "up-openai-responses/m"))
    through(proxy, monkeypatch)
    error = _raised(client, "stream", CLASSES["quota"][client][0])
    assert 1700 <= int(_headers(error)["retry-after"]) <= 1800


@pytest.mark.parametrize("client", FORMATS)
def test_while_all_targets_rest_they_are_not_asked_again(
    client: str, provider: Provider, start_proxy: StartProxy
) -> None:
    provider.otherwise = lambda request: faults.quota(str(request.format), 7200)
    proxy = start_proxy(targets(up=provider) + routes("up-anthropic-messages/m", "up-openai-responses/m"))
    post(proxy, ask(client))
    again = post(proxy, ask(client))
    assert (again.status_code, len(provider.calls)) == (429, 2)
    assert 7000 <= int(again.headers["retry-after"]) <= 7200
    assert "up-openai-responses/m" in said_error(client, again.json())


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("client", FORMATS)
def test_a_400_that_every_target_would_give_goes_straight_back(
    client: str, provider: Provider, start_proxy: StartProxy, *, stream: bool
) -> None:
    kind = "INVALID_ARGUMENT" if "gemini" in client else "invalid_request_error"
    refusal = faults.failure(client, 400, kind, "messages: at least one message is required")
    provider.script(refusal)
    proxy = start_proxy(targets(up=provider) + routes(f"up-{client}/m", "up-openai-chat/other"))
    response = post(proxy, ask(client, stream=stream))
    assert response.status_code == 400
    assert said_error(client, response.json()) == "messages: at least one message is required"
    assert provider.call.model == "m"


@pytest.mark.parametrize("client", SDKS)
def test_a_400_of_another_format_is_the_sdks_bad_request(
    client: str, provider: Provider, start_proxy: StartProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = "openai-chat" if client != "openai-chat" else "anthropic-messages"
    provider.script(faults.failure(upstream, 400, "invalid_request_error", "temperature must be at most 2"))
    through(start_proxy(targets(up=provider) + routes(f"up-{upstream}/m", "up-gemini/m")), monkeypatch)
    classes = {"anthropic-messages": anthropic.BadRequestError, "gemini": genai_errors.ClientError}
    error = _raised(client, "whole", classes.get(client, openai.BadRequestError))
    assert _status(error) == 400
    assert "temperature must be at most 2" in str(error)


def test_an_error_event_before_anything_is_said_becomes_a_status(provider: Provider, start_proxy: StartProxy) -> None:
    """Once 200 is out, an SDK cannot retry; so nothing is out before something was said."""
    provider.otherwise = lambda request: faults.server_error(str(request.format))
    proxy = start_proxy(targets(up=provider) + routes("up-gemini/m"))
    response = post(proxy, ask("openai-responses", stream=True))
    assert response.status_code == 503
    assert not events(response.content)


@pytest.mark.parametrize("client", ["anthropic-messages", "openai-chat", "openai-responses", "gemini"])
def test_the_gateway_tells_it_the_same_way(client: str, provider: Provider, start_proxy: StartProxy) -> None:
    provider.otherwise = lambda request: faults.quota(str(request.format), 7200)
    proxy = start_proxy(targets(up=provider))
    response = post_gateway(proxy, ask(client, "up-openai-responses/m"))
    assert (response.status_code, int(response.headers["retry-after"]) > 7000) == (429, True)
    assert "up-openai-responses/m" in said_error(client, response.json())
