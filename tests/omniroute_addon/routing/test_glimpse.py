"""The cheap look at a request sees what the parsed request has."""

from dataclasses import replace

import pytest
from hypothesis import given

from omniroute_addon.routing import BodyFacts
from omniroute_addon.routing.glimpse import features
from tests import hub_cases as cases
from tests.translators.conversations import requests
from translators import FORMATS, WireRequest, hub
from translators.format import Profile


def rendered(form: str, request: hub.Request) -> WireRequest:
    return FORMATS[form].render_request(request, Profile(), [])


def same(form: str, request: hub.Request) -> bool:
    wire = rendered(form, request)
    return features(wire) == BodyFacts(form, wire, {}).has


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", cases.REQUESTS)
@pytest.mark.parametrize("stream", [True, False])
def test_every_case_in_every_format(form: str, case: str, stream: bool) -> None:
    assert same(form, replace(cases.REQUESTS[case], stream=stream))


@pytest.mark.parametrize("form", FORMATS)
@given(request=requests())
def test_any_conversation(form: str, request: hub.Request) -> None:
    assert same(form, request)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"messages": 3}', b'{"messages": [3, null, {"content": [1]}]}'])
def test_what_is_no_request_has_no_features(body: bytes) -> None:
    assert features(WireRequest(body=body)) == frozenset()


def test_what_people_write_about_is_not_in_the_request() -> None:
    body = b'{"messages": [{"role": "user", "content": "set \\"tools\\" and {\\"type\\": \\"image\\"}"}]}'
    assert features(WireRequest(body=body)) == frozenset()
