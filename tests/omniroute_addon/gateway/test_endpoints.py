"""The paths of the gateway and the answers that need no upstream."""

import orjson
import pytest

from omniroute_addon.config import parse
from omniroute_addon.gateway.endpoints import Endpoint, endpoint, listing, not_found

RULES = parse(
    """{version: 1, combos: {premium: {targets: [glm/glm-4.7]}}, accounts: [{name: g, provider: glm, key: k}]}""",
    None,
    env={},
)


@pytest.mark.parametrize(
    "path, found",
    [
        ("/v1/messages", Endpoint("anthropic-messages", "generate")),
        ("/v1/messages?beta=true", Endpoint("anthropic-messages", "generate")),
        ("/v1/messages/count_tokens", Endpoint("anthropic-messages", "count")),
        ("/v1/chat/completions", Endpoint("openai-chat", "generate")),
        ("/v1/responses", Endpoint("openai-responses", "generate")),
        ("/v1beta/models/glm/glm-4.7:streamGenerateContent?alt=sse", Endpoint("gemini", "generate")),
        ("/v1/models/m:generateContent", Endpoint("gemini", "generate")),
        ("/v1beta/models/m:countTokens", Endpoint("gemini", "count")),
        ("/v1/providers/glm/chat/completions", Endpoint("openai-chat", "generate", "glm")),
        ("/v1/embeddings", None),
        ("/v1/messages/", None),
        ("/v1beta/models/m:embedContent", None),
        ("/v1/providers/a/b/chat/completions", None),
        ("/", None),
    ],
)
def test_a_posts_path_tells_its_format(path: str, found: Endpoint | None) -> None:
    assert endpoint("POST", path) == found


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_a_post_is_a_call(method: str) -> None:
    assert endpoint(method, "/v1/messages") is None


def test_models_are_listed_as_openai_does() -> None:
    answer = listing("GET", "/v1/models?limit=5", RULES)
    assert answer is not None
    body = orjson.loads(answer.body)
    assert (answer.status, body["object"]) == (200, "list")
    names = {entry["id"] for entry in body["data"]}
    assert "premium" in names
    assert any(name.endswith("/glm-4.7") for name in names)


def test_models_are_listed_as_gemini_does() -> None:
    answer = listing("GET", "/v1beta/models", RULES)
    assert answer is not None
    assert "models/premium" in [entry["name"] for entry in orjson.loads(answer.body)["models"]]


@pytest.mark.parametrize("method, path", [("POST", "/v1/models"), ("GET", "/v1/messages"), ("GET", "/")])
def test_nothing_else_is_a_list(method: str, path: str) -> None:
    assert listing(method, path, RULES) is None


@pytest.mark.parametrize("path", ["/v1beta/x", "/v1/x"])
def test_an_unknown_path_is_a_404_that_names_the_known_ones_and_no_query(path: str) -> None:
    answer = not_found("POST", f"{path}?key=secret")
    assert answer.status == 404
    assert b"/v1/messages" in answer.body
    assert b"secret" not in answer.body
