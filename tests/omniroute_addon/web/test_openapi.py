"""The document against the running proxy: schemathesis asks everything that it allows, and what it does not."""

from http.cookiejar import DefaultCookiePolicy
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from omniroute_addon.web import pages
from omniroute_addon.web.openapi import document
from tests.web.conftest import Open

requests = pytest.importorskip("requests", reason="schemathesis is not installed")

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

LIMITS = settings(
    max_examples=25,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_every_resource_is_in_the_document() -> None:
    paths = document(pages.resources())["paths"]
    found = {(path.removeprefix("/omniroute/api/"), method.upper()) for path, one in paths.items() for method in one}
    assert found == {(one.path, one.method) for one in pages.resources()}


def test_every_operation_says_what_it_is() -> None:
    paths = document(pages.resources())["paths"]
    operations: list[dict[str, Any]] = [one for methods in paths.values() for one in methods.values()]
    names = [one["operationId"] for one in operations]
    assert (len(set(names)), [one for one in operations if not one["summary"]]) == (len(names), [])


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_the_api_is_as_the_document_says(open_up: Open, mode: str) -> None:
    opened = open_up("routes: []\n")
    headers = {"Authorization": f"Bearer {opened.web.url.partition('token=')[2]}"}
    schema = schemathesis.openapi.from_dict(document(pages.resources()))
    generation = schemathesis.GenerationMode(mode)
    with requests.Session() as session:
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # else whoever was let in once stays in
        for result in schema.get_all_operations():
            operation = result.ok()

            @LIMITS
            @given(case=operation.as_strategy(generation_mode=generation))
            def check(case: Any) -> None:
                case.call_and_validate(opened.web.base, session=session, headers=headers)

            check()
