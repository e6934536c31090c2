import asyncio
import math
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import NullPool

from aws_iam_async import PluginManager
from aws_iam_async.testing import Stage
from tests.engines.conftest import MakeEngine
from tests.login.conftest import Rds

ONE = text("SELECT 1")


async def use(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await connection.scalar(ONE) == 1


async def test_concurrent_checkouts_share_one_token(rds: Rds, make_engine: MakeEngine) -> None:
    async with PluginManager() as manager:
        engine = make_engine(rds, manager=manager, pool_size=2, max_overflow=2)
        async with AsyncExitStack() as stack:
            await asyncio.gather(*(stack.enter_async_context(engine.connect()) for _ in range(4)))
            assert len(rds.emulator.logins) == 4
        await engine.dispose()
        assert manager.statistics().generations == 1


async def test_each_connection_of_a_null_pool_logs_in(rds: Rds, make_engine: MakeEngine) -> None:
    engine = make_engine(rds, poolclass=NullPool)
    await use(engine)
    await use(engine)
    assert [login.accepted for login in rds.emulator.logins] == [True, True]
    await asyncio.to_thread(rds.emulator.wait_for_connections, 0)


async def test_a_recycled_connection_logs_in_again(rds: Rds, make_engine: MakeEngine) -> None:
    engine = make_engine(rds, pool_recycle=0)
    await use(engine)
    before = len(rds.emulator.logins)
    await use(engine)
    assert len(rds.emulator.logins) > before


async def test_pre_ping_replaces_lost_connections(rds: Rds, make_engine: MakeEngine) -> None:
    engine = make_engine(rds, pool_pre_ping=True)
    await use(engine)
    await use(engine)
    assert len(rds.emulator.logins) == 1
    rds.emulator.cut_connections()
    await asyncio.to_thread(rds.emulator.wait_for_connections, 0)
    # By now the server has forgotten the token, too.
    rds.emulator.faults.reject_next(1)
    await use(engine)
    assert [login.accepted for login in rds.emulator.logins] == [True, False, True]


async def test_without_pre_ping_one_query_fails_and_the_next_is_on_a_new_login(
    rds: Rds, make_engine: MakeEngine
) -> None:
    engine = make_engine(rds)
    await use(engine)
    rds.emulator.cut_connections()
    await asyncio.to_thread(rds.emulator.wait_for_connections, 0)
    with pytest.raises(DBAPIError) as caught:
        await use(engine)
    assert caught.value.connection_invalidated
    await use(engine)
    assert len(rds.emulator.logins) == 2


async def test_disposing_closes_and_the_engine_can_connect_again(rds: Rds, make_engine: MakeEngine) -> None:
    engine = make_engine(rds)
    await use(engine)
    await engine.dispose()
    await asyncio.to_thread(rds.emulator.wait_for_connections, 0)
    await use(engine)
    assert len(rds.emulator.logins) == 2


@pytest.mark.parametrize("stage", [Stage.TLS_AGREED, Stage.TOKEN_RECEIVED])
async def test_a_cancelled_connect_leaves_nothing(rds: Rds, make_engine: MakeEngine, stage: Stage) -> None:
    engine = make_engine(rds, pool_size=1, max_overflow=0)
    rds.emulator.faults.delay(stage, math.inf)
    connecting = asyncio.create_task(use(engine))
    await asyncio.to_thread(rds.emulator.wait_for_connections, 1)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    rds.emulator.cut_connections()
    rds.emulator.faults.reset()
    await asyncio.to_thread(rds.emulator.wait_for_connections, 0)
    await use(engine)  # its only place is free


async def test_a_connection_in_use_is_given_up_when_its_task_is_cancelled(rds: Rds, make_engine: MakeEngine) -> None:
    engine = make_engine(rds, pool_size=1, max_overflow=0)
    sleep = text("SELECT SLEEP(60)" if rds.driver == "aiomysql" else "SELECT pg_sleep(60)")
    connected = asyncio.Event()

    async def wait() -> None:
        async with engine.connect() as connection:
            connected.set()
            await connection.execute(sleep)

    waiting = asyncio.create_task(wait())
    await connected.wait()
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await use(engine)


async def test_the_drivers_time_limit_bounds_the_whole_login(rds: Rds, make_engine: MakeEngine) -> None:
    name, error = ("timeout", TimeoutError) if rds.driver == "asyncpg" else ("connect_timeout", OperationalError)
    engine = make_engine(rds, connect_args={name: 0.2})
    rds.emulator.faults.delay(Stage.TLS_AGREED, math.inf)
    with pytest.raises(error, match=r"within 0\.2 s"):
        await use(engine)
    rds.emulator.cut_connections()


async def test_an_engine_in_each_of_two_loops(rds: Rds, make_engine: MakeEngine) -> None:
    engine = make_engine(rds, poolclass=NullPool)
    await use(engine)

    def elsewhere() -> None:
        asyncio.run(use(engine))

    await asyncio.to_thread(elsewhere)
    assert [login.accepted for login in rds.emulator.logins] == [True, True]
