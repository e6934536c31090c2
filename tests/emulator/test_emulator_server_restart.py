import asyncio
from collections.abc import Iterator

import aiomysql
import asyncpg
import pytest

from aws_iam_async.testing import Emulator, MariadbServer, PostgresServer
from aws_iam_async.testing.servers.process import ServerProcess
from tests.emulator.conftest import BROKEN, MYSQL, POSTGRES, Front


@pytest.fixture(scope="module", params=[PostgresServer, MariadbServer])
def server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    with request.param() as server:
        server.create_user("app")
        server.create_database("shop", owner="app")
        yield server


@pytest.fixture
def own(server: ServerProcess) -> Iterator[Front]:
    """A server of this test's own, which it may stop."""
    with Emulator(server) as emulator:
        kind = POSTGRES if isinstance(server, PostgresServer) else MYSQL
        yield Front(emulator, emulator.account.create_access_key(), *kind)


@pytest.mark.parametrize("crash", [False, True])
async def test_a_restart_breaks_connections_off_and_new_ones_work(
    server: ServerProcess, own: Front, *, crash: bool
) -> None:
    session = await own.connect()
    await asyncio.to_thread(server.restart, crash=crash)
    with pytest.raises(BROKEN):
        await session.query("SELECT 1")
    session.abort()
    session = await own.connect()
    assert await session.query("SELECT 1") == [(1,)]
    await session.close()
    await asyncio.to_thread(own.emulator.wait_for_connections, 0)


async def test_while_the_server_is_down_a_login_fails_at_once(server: ServerProcess, own: Front) -> None:
    await asyncio.to_thread(server.stop)
    with pytest.raises((asyncpg.CannotConnectNowError, aiomysql.OperationalError)):
        await own.connect()
    await asyncio.to_thread(own.emulator.wait_for_connections, 0)
    await asyncio.to_thread(server.start)
    session = await own.connect()
    assert await session.query("SELECT 1") == [(1,)]
    await session.close()


async def test_every_connection_is_cut_at_once_on_demand(own: Front) -> None:
    sessions = [await own.connect() for _ in range(5)]
    own.emulator.cut_connections()
    await asyncio.to_thread(own.emulator.wait_for_connections, 0)
    for session in sessions:
        with pytest.raises(BROKEN):
            await session.query("SELECT 1")
        session.abort()
    await (await own.connect()).close()
