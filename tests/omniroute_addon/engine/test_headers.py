"""What crosses the proxy, and what nobody may read."""

import pytest

from omniroute_addon.engine import headers

CLIENT = (
    ("Host", "api.anthropic.com"),
    ("Authorization", "Bearer sk-ant-oat01-secret"),
    ("X-Api-Key", "sk-ant-secret"),
    ("Cookie", "session=secret"),
    ("chatgpt-account-id", "secret"),
    ("Anthropic-Version", "2023-06-01"),
    ("Anthropic-Beta", "oauth-2025-04-20, interleaved-thinking-2025-05-14"),
    ("Accept", "application/json"),
    ("Accept-Encoding", "gzip, br"),
    ("Connection", "keep-alive"),
    ("Content-Length", "12"),
    ("X-Stainless-Lang", "js"),
)


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Proxy-Authorization",
        "x-api-key",
        "x-goog-api-key",
        "Cookie",
        "Set-Cookie",
        "chatgpt-account-id",
        "X-Auth-Token",
        "apikey",
    ],
)
def test_credentials_are_secret(name: str) -> None:
    assert headers.is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "content-type",
        "anthropic-ratelimit-tokens-remaining",
        "x-ratelimit-limit-tokens",
        "anthropic-version",
        "x-request-id",
    ],
)
def test_figures_about_tokens_are_not_secret(name: str) -> None:
    assert not headers.is_secret(name)


def test_redaction_replaces_values_and_nothing_else() -> None:
    assert headers.redact([("X-Api-Key", "k"), ("accept", "*/*")]) == (("X-Api-Key", "[redacted]"), ("accept", "*/*"))


def test_a_header_that_the_user_named_for_the_key_is_redacted_too() -> None:
    assert headers.redact([("X-Pass", "k")], {"x-pass"}) == (("X-Pass", "[redacted]"),)


@pytest.mark.parametrize(
    "path, shown",
    [
        ("/v1beta/models/m:x?key=AIza&alt=sse", "/v1beta/models/m:x?key=[redacted]&alt=sse"),
        ("/x?alt=sse&KEY=AIza#part", "/x?alt=sse&KEY=[redacted]#part"),
        ("/callback?code=abc&state=s", "/callback?code=[redacted]&state=s"),
        ("/t?refresh_token=abc", "/t?refresh_token=[redacted]"),
        ("https://user:pass@host/x", "https://host/x"),
        ("/x?monkey=1&tokens=2", "/x?monkey=1&tokens=2"),
    ],
)
def test_credentials_in_a_url_are_redacted(path: str, shown: str) -> None:
    assert headers.redact_query(path) == shown


def test_secret_values_are_bare_and_long_enough_to_be_searched_for() -> None:
    pairs = [("authorization", "Bearer sk-0123456789"), ("x-api-key", "short"), ("accept", "text/event-stream")]
    assert headers.secret_values(pairs) == ("sk-0123456789",)


def test_the_clients_own_provider_gets_its_headers_as_sent() -> None:
    kept = headers.for_origin(CLIENT, identity=False)
    gone = {"Host", "Connection", "Content-Length"}
    assert kept == [pair for pair in CLIENT if pair[0] not in gone]


def test_a_stream_is_asked_for_uncompressed() -> None:
    kept = headers.for_origin(CLIENT, identity=True)
    assert [value for name, value in kept if name.lower() == "accept-encoding"] == ["identity"]


def test_cookies_split_by_http2_are_joined_for_http1() -> None:
    kept = headers.for_origin([("cookie", "a=1"), ("accept", "*/*"), ("cookie", "b=2")], identity=False)
    assert kept == [("accept", "*/*"), ("cookie", "a=1; b=2")]


def test_another_provider_learns_the_protocol_and_nothing_of_the_person() -> None:
    assert headers.for_same_format(CLIENT) == {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "interleaved-thinking-2025-05-14",
        "accept": "application/json",
    }


def test_a_beta_header_with_nothing_left_is_not_sent() -> None:
    assert headers.for_same_format([("anthropic-beta", "oauth-2025-04-20")]) == {}


def test_an_answers_cookies_stay_apart() -> None:
    pairs = [("Set-Cookie", "a=1"), ("set-cookie", "b=2"), ("Transfer-Encoding", "chunked")]
    assert headers.of_answer(pairs) == [("Set-Cookie", "a=1"), ("set-cookie", "b=2")]


def test_another_providers_error_sets_no_cookies() -> None:
    pairs = [("Set-Cookie", "a=1"), ("Retry-After", "7"), ("Content-Type", "application/json"), ("alt-svc", "h3")]
    assert headers.of_error(pairs) == {"retry-after": "7", "content-type": "application/json"}


@pytest.mark.parametrize(
    "text, told",
    [
        ("wrong key sk-ant-api03-abcdefgh", "wrong key [redacted]"),
        ("it starts with 'sk-ant-api03-abcd'", "it starts with '[redacted]'"),
        ("keys begin with sk-ant-api03-", "keys begin with sk-ant-api03-"),
        ("", ""),
    ],
)
def test_no_credential_is_left_in_a_text(text: str, told: str) -> None:
    assert headers.without(text, ["sk-ant-api03-abcdefgh"]) == told
