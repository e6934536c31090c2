"""If a pool's logins fail, its callers get the reason, immediately if waiting is useless. The next caller retries."""

import asyncio
import math
from typing import Any

import psycopg
import psycopg_pool
import pytest

from aws_iam_async import Credentials, CredentialsError, PluginManager
from aws_iam_async.testing import Stage
from tests.drivers.psycopg.conftest import gone
from tests.login.conftest import Rds

pytestmark = pytest.mark.usefixtures("nothing_left")

SOON = 5  # seconds; a pool's own second attempt comes after one second, the third after three


async def reject(rds: Rds, count: int = 10**6) -> None:
    """Reject each login from now on, the second attempt with a new token included."""
    rds.emulator.faults.reject_next(count)


async def test_all_who_wait_get_the_drivers_own_error(manager: PluginManager, rds: Rds) -> None:
    async with manager.create_pool(rds.dsn, **rds.options, min_size=0, max_size=3) as pool:
        rds.emulator.faults.delay(Stage.TOKEN_RECEIVED, 0.3)
        await reject(rds)
        async with asyncio.timeout(SOON):
            errors = await asyncio.gather(*(pool.getconn() for _ in range(20)), return_exceptions=True)
        assert {type(error) for error in errors} == {psycopg.OperationalError}
        assert len(set(map(id, errors))) == 20  # each waiter has an error of its own
        assert all("signed for user 'app'" in "".join(error.__notes__) for error in errors)


@pytest.mark.parametrize("sizes", [(0, 3), (2, 2)])
async def test_the_next_caller_tries_again(manager: PluginManager, rds: Rds, sizes: tuple[int, int]) -> None:
    async with manager.create_pool(rds.dsn, **rds.options, **rds.sizes(*sizes), check=check) as pool:
        await reject(rds)
        rds.emulator.cut_connections()
        for _ in range(3):
            async with asyncio.timeout(SOON):
                with pytest.raises(psycopg.OperationalError, match="PAM"):
                    await pool.getconn()
        await reject(rds, 0)
        async with asyncio.timeout(0.9):
            connections = [await pool.getconn() for _ in range(2)]
        assert [await rds.value(connection, "SELECT 1") for connection in connections] == [1, 1]
        for connection in connections:
            await pool.putconn(connection)


async def test_a_login_that_works_again_fills_the_pool(manager: PluginManager, rds: Rds) -> None:
    async with manager.create_pool(rds.dsn, **rds.options, **rds.sizes(3, 5), check=check) as pool:
        await reject(rds)
        rds.emulator.cut_connections()
        with pytest.raises(psycopg.OperationalError, match="PAM"):
            await pool.getconn()
        await reject(rds, 0)
        async with asyncio.timeout(SOON):
            async with pool.connection():
                pass
            await pool.wait()
        assert pool.get_stats()["pool_available"] >= 3


async def check(connection: psycopg.AsyncConnection) -> None:
    await psycopg_pool.AsyncConnectionPool.check_connection(connection)


async def test_callers_that_keep_coming_are_all_answered(manager: PluginManager, rds: Rds) -> None:
    async with manager.create_pool(rds.dsn, **rds.options, min_size=1, max_size=2) as pool:
        await reject(rds)
        rds.emulator.cut_connections()
        await gone(rds.emulator)
        await pool.check()

        async def one(number: int) -> None:
            await asyncio.sleep(number / 200)
            with pytest.raises(psycopg.OperationalError, match="PAM"):
                await pool.getconn()

        async with asyncio.timeout(SOON):
            await asyncio.gather(*map(one, range(60)))


async def test_missing_credentials_are_not_hidden_by_a_time_out(manager: PluginManager, rds: Rds) -> None:
    async def credentials() -> Credentials:
        raise LookupError("no key today")

    options = {**rds.options, "credentials": credentials}
    async with manager.create_pool(rds.dsn, **options, min_size=0, max_size=1) as pool, asyncio.timeout(SOON):
        with pytest.raises(CredentialsError, match="raised LookupError"):
            await pool.getconn()


async def test_a_pool_that_is_opened_later_tells_as_well(manager: PluginManager, rds: Rds) -> None:
    await reject(rds)
    pool = await manager.create_pool(rds.dsn, **rds.options, min_size=2, open=False)
    async with asyncio.timeout(SOON):
        with pytest.raises(psycopg.OperationalError, match="PAM") as raised:
            await pool.open(wait=True)
    assert "signed for user 'app'" in "".join(raised.value.__notes__)
    assert pool.closed


async def test_waiting_for_a_pool_tries_again(manager: PluginManager, rds: Rds) -> None:
    async with manager.create_pool(rds.dsn, **rds.options, min_size=2, open=False) as pool:
        await reject(rds)
        await pool.open()
        with pytest.raises(psycopg.OperationalError, match="PAM"):
            await pool.getconn()
        await reject(rds, 0)
        async with asyncio.timeout(SOON):
            await pool.wait()
        assert pool.get_stats()["pool_available"] == 2


@pytest.mark.parametrize("way", ["getconn", "wait"])
async def test_a_time_out_names_its_cause(manager: PluginManager, rds: Rds, way: str) -> None:
    pool = await manager.create_pool(rds.dsn, **rds.options, min_size=1, open=False)
    rds.emulator.faults.cut(Stage.ACCEPTED, times=10**6)
    await pool.open()
    with pytest.raises(psycopg_pool.PoolTimeout, match=r"0.5") as raised:
        await getattr(pool, way)(timeout=0.5)
    assert isinstance(raised.value.__cause__, psycopg.OperationalError)
    await pool.close()


async def test_a_pool_in_use_names_no_old_cause(manager: PluginManager, rds: Rds) -> None:
    async with manager.create_pool(rds.dsn, **rds.options, min_size=0, max_size=1) as pool:
        await reject(rds, 2)
        with pytest.raises(psycopg.OperationalError):
            await pool.getconn()
        await reject(rds, 0)
        async with pool.connection():
            with pytest.raises(psycopg_pool.PoolTimeout) as raised:
                await pool.getconn(timeout=0.1)
        assert raised.value.__cause__ is None


async def test_a_pool_that_cannot_be_configured_tells_why(manager: PluginManager, rds: Rds) -> None:
    async def configure(connection: psycopg.AsyncConnection) -> None:
        await connection.execute("SELECT nonsense")

    async with asyncio.timeout(SOON):
        with pytest.raises(psycopg.errors.UndefinedColumn):
            await manager.create_pool(rds.dsn, **rds.options, min_size=2, configure=configure)


async def test_closing_ends_attempts_that_hang(manager: PluginManager, rds: Rds) -> None:
    rds.emulator.faults.delay(Stage.ACCEPTED, math.inf)
    pool = await manager.create_pool(rds.dsn, **rds.options, min_size=0, max_size=4)
    waiting = [asyncio.create_task(pool.getconn()) for _ in range(3)]
    await asyncio.to_thread(rds.emulator.wait_for_connections, 1)
    async with asyncio.timeout(SOON - 1):  # psycopg waits 5 s for its workers
        await pool.close()
    for error in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(error, psycopg_pool.PoolClosed)
    rds.emulator.cut_connections()


@pytest.mark.parametrize("stage", [Stage.ACCEPTED, Stage.TLS_AGREED, Stage.TLS_DONE, Stage.TOKEN_RECEIVED])
@pytest.mark.parametrize("way", ["cancelled", "timed out"])
async def test_creation_that_is_given_up(manager: PluginManager, rds: Rds, stage: Stage, way: str) -> None:
    rds.emulator.faults.delay(stage, math.inf)
    limit: dict[str, Any] = {"connect_timeout": 0.5} if way == "timed out" else {}
    creating = asyncio.ensure_future(manager.create_pool(rds.dsn, **rds.options, **limit, min_size=2))
    await asyncio.to_thread(rds.emulator.wait_for_connections, 2)
    if way == "cancelled":
        creating.cancel()
    expected = asyncio.CancelledError if way == "cancelled" else psycopg.errors.ConnectionTimeout
    with pytest.raises(expected):
        await creating
    rds.emulator.cut_connections()


async def test_a_rejected_pool_is_closed(manager: PluginManager, rds: Rds) -> None:
    await reject(rds)
    async with asyncio.timeout(SOON):
        with pytest.raises(psycopg.OperationalError, match="PAM") as raised:
            await manager.create_pool(rds.dsn, **rds.options, min_size=4)
    assert "signed for user 'app'" in "".join(raised.value.__notes__)
