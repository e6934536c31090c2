"""A pool that outlives its event loop is an unclosed resource, and no more trouble than that."""

import asyncio
import gc
import ssl
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from aws_iam_async.drivers.aiomysql.connection import Connection
from aws_iam_async.drivers.aiomysql.pool import Pool
from tests.drivers.aiomysql.conftest import login, sockets

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def left_alone(_: Pool, __: Connection) -> None:
    pass


def released(pool: Pool, conn: Connection) -> None:
    pool.release(conn)


def closed(_: Pool, conn: Connection) -> None:
    conn.close()
    assert conn.closed


def terminated(pool: Pool, conn: Connection) -> None:
    pool.terminate()
    assert (pool.size, conn.closed) == (pool.freesize, True)


@pytest.fixture
def bounded() -> None:
    """Instead of the one that needs a running loop."""


@pytest.mark.parametrize("over_tls", [False, True], ids=["plaintext", "tls"])
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("then", [left_alone, released, closed, terminated])
def test_it_warns_and_its_sockets_are_gone(
    mariadb: Any,
    trusting: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    loop: str,
    then: Callable[[Pool, Connection], None],
    *,
    over_tls: bool,
) -> None:
    async def dial(conn: Connection) -> None:
        await conn.log_in(login(mariadb.port, tls=trusting if over_tls else None))

    async def open_connection() -> Connection:
        conn = Connection(dial=dial)
        await conn._connect()
        return conn

    async def main() -> tuple[Pool, Connection]:
        pool = Pool(open_connection, minsize=2, maxsize=2)
        await pool.fill()
        return pool, await pool.acquire()

    unraisable: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", unraisable.append)
    gc.collect()
    before = sockets()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            pool, conn = runner.run(main())
        then(pool, conn)
        del pool, conn, runner
        gc.collect()
    assert [str(one.exc_value) for one in unraisable] == []
    assert {warning.category for warning in caught} == {ResourceWarning}
    assert sockets() == before
