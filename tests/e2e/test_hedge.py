"""``hedge``: the official SDKs get the answer of the second provider when the first is silent, and never both."""

from collections.abc import Callable

import pytest

from tests.e2e.sdks import SDKS, Heard, through
from tests.e2e.targets import targets
from tests.servers.answers import FORMATS, Answer
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy
from tests.servers.steps import Gate, Say, Silence, Step

type StartProxy = Callable[..., Proxy]

SLOW = Answer(pieces=("Too ", "late"))
QUICK = Answer(pieces=("In ", "time"), thinking="Quick.")
SILENT: dict[str, Step] = {"no headers": Silence(), "no event": Say(SLOW, gates={0: Gate()})}


@pytest.mark.parametrize("client", SDKS)
@pytest.mark.parametrize("silent", SILENT)
def test_the_sdk_reads_the_quicker_answer(
    client: str,
    silent: str,
    provider: Provider,
    second: Provider,
    start_proxy: StartProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    combos = "".join(
        f"  {form}: {{targets: [{{target: one-{form}/m, hedge: {{after: 100ms}}}}, two-{form}/m]}}\n"
        for form in FORMATS
    )
    proxy = start_proxy(f"{targets(one=provider, two=second)}combos:\n{combos}")
    through(proxy, monkeypatch)
    provider.script(SILENT[silent])
    second.script(Say(QUICK))
    with SDKS[client]() as sdk:
        for form in FORMATS:
            assert sdk.stream(form) == Heard(QUICK.text, QUICK.thinking, [], "end", 11, 7)
    for call in provider.calls:
        call.wait_gone()
        assert call.gone_at is not None
    assert (len(provider.calls), len(second.calls)) == (len(FORMATS), len(FORMATS))
