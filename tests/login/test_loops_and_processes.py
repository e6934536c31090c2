"""One manager on several event loops, threads and processes; uvloop."""

import asyncio
import os
import signal
import threading
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

import aws_iam_async
from aws_iam_async import PluginManager
from tests.credentials.conftest import AwsHome
from tests.login.conftest import Rds, give_environment

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
SECONDS = 30


@pytest.fixture(params=["asyncpg", "aiomysql", "psycopg"])
def database(request: pytest.FixtureRequest, aws_home: AwsHome) -> Rds:
    emulator = request.getfixturevalue("rds_mysql" if request.param == "aiomysql" else "rds_postgres")
    give_environment(aws_home, emulator.account.create_access_key())
    return Rds(request.param, emulator)


@pytest.fixture(params=LOOPS)
def new_loop(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    return LOOPS[request.param]


def run(new_loop: Callable[[], asyncio.AbstractEventLoop], main: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(asyncio.wait_for(main, SECONDS))


async def query(database: Rds, opening: Any) -> None:
    async with opening as connection:
        assert await database.value(connection, "SELECT 1") == 1


async def pool(database: Rds, manager: PluginManager) -> None:
    options = database.options | database.sizes(2, 5)
    async with manager.create_pool(database.dsn, **options) as opened, database.acquired(opened, 5) as connections:
        for connection in connections:
            assert await database.value(connection, "SELECT 1") == 1


def test_the_main_job(database: Rds, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main() -> None:
        async with PluginManager() as manager:
            await query(database, manager.connect(database.dsn, **database.options))
            await pool(database, manager)
            assert manager.statistics().generations == 1

    run(new_loop, main())
    assert all(login.accepted for login in database.emulator.logins)


def test_a_rejected_token_is_replaced(
    database: Rds, aws_home: AwsHome, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def main() -> None:
        async with PluginManager() as manager:
            await query(database, manager.connect(database.dsn, **database.options))
            database.emulator.account.revoke(str(database.emulator.logins[-1].access_key_id))
            give_environment(aws_home, database.emulator.account.create_access_key())
            await pool(database, manager)
            assert (manager.statistics().generations, manager.statistics().rejections) == (2, 1)

    run(new_loop, main())


def test_the_default_manager_on_loops_in_turn(database: Rds, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    for _ in range(3):
        run(new_loop, query(database, database.connect()))
    assert [login.accepted for login in database.emulator.logins] == [True] * 3


def test_one_manager_on_loops_in_turn_and_in_threads(database: Rds) -> None:
    manager = PluginManager()
    failures: list[str] = []

    def work(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        try:
            for _ in range(2):
                run(new_loop, pool(database, manager))
        except BaseException:  # noqa: BLE001 - the main thread reports it
            failures.append(traceback.format_exc())

    threads = [threading.Thread(target=work, args=(new_loop,)) for new_loop in LOOPS.values() for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []
    assert manager.statistics().connects == 2 * 5 * len(threads)


def test_a_forked_child_starts_anew(database: Rds, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """As gunicorn does: used before the fork, then in the child."""
    run(new_loop, query(database, database.connect()))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(SECONDS)
            run(new_loop, query(database, database.connect()))
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    run(new_loop, query(database, database.connect()))
    assert [login.accepted for login in database.emulator.logins] == [True] * 3


def test_outside_a_loop_it_can_be_made_and_run_later(database: Rds) -> None:
    connection = asyncio.run(_held(database.connect()))
    assert connection is not None


async def _held(opening: Any) -> Any:
    async with opening as connection:
        return connection


def test_what_is_never_awaited_warns(database: Rds) -> None:
    with pytest.warns(RuntimeWarning, match="never awaited"):
        aws_iam_async.connect(database.dsn)
