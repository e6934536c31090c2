"""A site for each driver; async tests run on each event loop."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest

from aws_iam_async import PluginManager
from tests.credentials.conftest import AwsHome, aws_home, endpoint
from tests.faults.leaks import Leaks, sockets
from tests.faults.site import LOOPS, SERVERS, Site, site

__all__ = ["aws_home", "endpoint"]

CALM = 10


def pytest_asyncio_loop_factories(
    config: pytest.Config,  # noqa: ARG001 - the hook's signature
    item: pytest.Item,  # noqa: ARG001 - the hook's signature
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return LOOPS


@pytest.fixture(scope="session")
def _asyncpg_site() -> Iterator[Site]:
    with site("asyncpg") as found:
        yield found


@pytest.fixture(scope="session")
def _aiomysql_site() -> Iterator[Site]:
    with site("aiomysql") as found:
        yield found


@pytest.fixture(scope="session")
def _psycopg_site() -> Iterator[Site]:
    with site("psycopg") as found:
        yield found


@pytest.fixture(params=SERVERS)
def place(request: pytest.FixtureRequest, aws_home: AwsHome) -> Iterator[Site]:
    """Each driver's site in turn, whole, with an access key in the environment."""
    found: Site = request.getfixturevalue(f"_{request.param}_site")
    found.heal()
    key = found.emulator.account.create_access_key()
    aws_home.set(AWS_ACCESS_KEY_ID=key.access_key, AWS_SECRET_ACCESS_KEY=key.secret_key)
    yield found
    found.heal()


@pytest.fixture
async def manager() -> AsyncIterator[PluginManager]:
    async with PluginManager() as manager:
        yield manager


@pytest.fixture
async def leaks(place: Site, manager: PluginManager) -> Leaks:
    """Counted when everything that stays has been made: the driver is imported, the TLS context built."""
    async with place.connect(manager):
        pass
    await asyncio.to_thread(place.emulator.wait_for_connections, 0)
    counts: list[int] = []
    while place.proxy.connections or len(counts) < CALM or len(set(counts[-CALM:])) > 1:
        counts.append(sockets())  # other threads close theirs a moment after they have hung up
        await asyncio.sleep(0.002)
    return Leaks(place)


@pytest.fixture(autouse=True)
def asyncio_has_no_complaint(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No exception was left to the loop."""
    yield
    found = [
        record.getMessage()
        for phase in ("setup", "call")
        for record in caplog.get_records(phase)
        if record.name == "asyncio" and record.levelno >= logging.WARNING
    ]
    assert found == []
