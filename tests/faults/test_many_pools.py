"""Two hundred pools to two hundred endpoints in one process: each has a token of its own, and only one."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from aws_iam_async import PluginManager
from aws_iam_async.testing import Emulator
from tests.faults.leaks import sockets
from tests.faults.site import Site

ENDPOINTS = 100  # for each driver
SIZE = 2
SECONDS = 60


@pytest.fixture(scope="module")
def _sites(_asyncpg_site: Site, _aiomysql_site: Site) -> Iterator[list[Site]]:
    """Emulators of many names before the two servers."""
    name = "db{}.c9akciq32.us-east-1.rds.amazonaws.com"
    account = _asyncpg_site.emulator.account
    with ExitStack() as stack:
        yield [
            replace(
                site, emulator=stack.enter_context(Emulator(site.server, host=name.format(number), account=account))
            )
            for site in (_asyncpg_site, _aiomysql_site)
            for number in range(ENDPOINTS)
        ]


@pytest.fixture
def sites(_sites: list[Site]) -> list[Site]:
    for site in _sites:
        site.emulator.reset()
    return _sites


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("place", ["asyncpg"], indirect=True)  # for its access key; the sites are of both drivers
async def test_all_work_at_once(sites: list[Site], manager: PluginManager) -> None:
    before = sockets()

    async def use(site: Site) -> None:
        pool = site.create_pool(manager, SIZE, SIZE, port=site.emulator.port)
        async with pool as opened, opened.acquire() as one, opened.acquire() as other:
            await ready.wait()
            for connection in (one, other):
                assert await site.execute(connection, "SELECT 1") == [(1,)]
            await done.wait()

    ready, done = asyncio.Barrier(len(sites)), asyncio.Barrier(len(sites))
    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
        for site in sites:
            group.create_task(use(site))
    statistics = manager.statistics()
    assert (statistics.generations, statistics.connects, statistics.failures) == (len(sites), SIZE * len(sites), 0)
    for site in sites:
        assert [login.accepted for login in site.emulator.logins] == [True] * SIZE
        await asyncio.to_thread(site.emulator.wait_for_connections, 0)
    async with asyncio.timeout(SECONDS):
        while sockets() > before:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
