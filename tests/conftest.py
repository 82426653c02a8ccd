"""Fixtures of the tests that run the product as users do: loopback providers and a real proxy process."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

from tests.servers.provider import Provider, serving
from tests.servers.proxy import Proxy, running

settings.register_profile("patient", deadline=None)  # a busy machine is not a defect
settings.load_profile("patient")

type StartProxy = Callable[..., Proxy]


@pytest.fixture(scope="session", autouse=True)
def _no_data_dir_of_the_developer_s(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """What runs in the tests' own process keeps its data elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMNIROUTE_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture
def provider() -> Generator[Provider]:
    """A provider that speaks every format."""
    with serving() as one:
        yield one


@pytest.fixture
def second() -> Generator[Provider]:
    """Another provider, to fall back to."""
    with serving() as one:
        yield one


@pytest.fixture
def start_proxy(tmp_path: Path) -> Generator[StartProxy]:
    """Starts ``omniroute up``; arguments are those of :func:`tests.servers.proxy.running`."""
    numbers = count()
    with ExitStack() as stack:

        def start(config: str, **options: object) -> Proxy:
            directory = tmp_path / f"proxy{next(numbers)}"
            directory.mkdir()
            return stack.enter_context(running(directory, config, **options))  # type: ignore[arg-type]

        yield start
