"""Measures how long an aiomysql or psycopg pool takes to open 50 connections to a database at a distance of 20 ms.

aiomysql's own pool logs in with a password and without TLS, and waits for the network 8 times for each connection. This
package is measured with the same login, and with a token and TLS, where a login waits 12 times. The limit is 50
concurrent bare connections. If they use a token, it is signed before. psycopg's pool is measured with a token only.
"""

import asyncio
import contextlib
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiomysql
import psycopg
from psycopg_pool import AsyncConnectionPool

from aws_iam_async import ConnectRequest, PluginManager, RdsTokenProvider
from aws_iam_async.drivers.aiomysql.connection import Connection
from aws_iam_async.tls import Tls
from aws_iam_async.tls.pinning import pin
from benchmarks import distant_database
from benchmarks.distant_database import DATABASE, USER, Place
from benchmarks.line import Line, Spread, Target

CONNECTIONS = 50
TURNS = 5
LIMIT = f"{CONNECTIONS} bare connects"
AIOMYSQL, PSYCOPG = "aiomysql", "psycopg"
OURS = "this package"
TOKEN_LIMIT, TOKEN_OURS = f"{LIMIT}, token and TLS", f"{OURS}, token and TLS"


def measure() -> list[Line]:
    """Run the benchmark."""
    lines = []
    for driver, compare in (("aiomysql", _compare_aiomysql), ("psycopg", _compare_psycopg)):
        with distant_database.running(driver) as place:
            lines.append(asyncio.run(compare(place)))
    return lines


async def _compare_aiomysql(place: Place) -> Line:
    token = await RdsTokenProvider().get_token(host=place.iam_host, port=place.iam_port, user=USER)
    context = ssl.create_default_context(cafile=place.ca_file)
    size: dict[str, Any] = {"minsize": CONNECTIONS, "maxsize": CONNECTIONS}
    login = place.password_login
    async with PluginManager("") as plain, PluginManager() as manager:
        subjects: dict[str, Callable[[], contextlib.AbstractAsyncContextManager[Any]]] = {
            LIMIT: lambda: _concurrently(lambda: aiomysql.connect(**login)),
            AIOMYSQL: lambda: aiomysql.create_pool(**size, **login),
            OURS: lambda: plain.create_pool(driver="aiomysql", **size, **login),
            TOKEN_LIMIT: lambda: _concurrently(lambda: _bare(place, token.value, pin(context, place.iam_host))),
            TOKEN_OURS: lambda: manager.create_pool(ssl=context, **size, **place.token_login),
        }
        spreads = await _in_turn(subjects)
    medians = {name: spread.median for name, spread in spreads.items()}
    targets = [
        Target(f"of {LIMIT}", medians[OURS] / medians[LIMIT], 1.15),
        Target(f"of {TOKEN_LIMIT}", medians[TOKEN_OURS] / medians[TOKEN_LIMIT], 1.15),
        Target("of aiomysql's", medians[OURS] / medians[AIOMYSQL], 1 / 25),
    ]
    return Line("aiomysql pool fill", f"ms until {CONNECTIONS} connections, 20 ms away", spreads, targets)


async def _compare_psycopg(place: Place) -> Line:
    token = await RdsTokenProvider().get_token(host=place.iam_host, port=place.iam_port, user=USER)
    size: dict[str, Any] = {"min_size": CONNECTIONS, "max_size": CONNECTIONS}
    login: dict[str, Any] = {
        "host": place.iam_host,
        "hostaddr": "127.0.0.1",
        "port": place.emulator_port,
        "user": USER,
        "dbname": DATABASE,
        "password": str(token.value),
        "sslmode": "verify-full",
        "sslrootcert": place.ca_file,
        "require_auth": "password",
    }
    async with PluginManager() as manager:
        spreads = await _in_turn(
            {
                TOKEN_LIMIT: lambda: _concurrently(lambda: psycopg.AsyncConnection.connect(**login)),
                PSYCOPG: lambda: _open(AsyncConnectionPool(kwargs=login, open=False, **size)),
                TOKEN_OURS: lambda: manager.create_pool(sslrootcert=place.ca_file, **size, **place.token_login),
            }
        )
    ours = spreads[TOKEN_OURS].median
    targets = [
        Target(f"of {TOKEN_LIMIT}", ours / spreads[TOKEN_LIMIT].median, 1.15),
        Target("of psycopg's", ours / spreads[PSYCOPG].median, 1),
    ]
    return Line("psycopg pool fill", f"ms until {CONNECTIONS} connections, 20 ms away", spreads, targets)


async def _in_turn(
    subjects: dict[str, Callable[[], contextlib.AbstractAsyncContextManager[Any]]],
) -> dict[str, Spread]:
    times: dict[str, list[float]] = {name: [] for name in subjects}
    # Warm up, except for aiomysql's pool, which is slow and caches nothing.
    for name in (name for name in subjects if name != AIOMYSQL):
        await _milliseconds(subjects[name])
    for _ in range(TURNS):
        for name in random.sample(list(subjects), len(subjects)):
            times[name].append(await _milliseconds(subjects[name]))
    return {name: Spread.of(several) for name, several in times.items()}


async def _milliseconds(open_all: Callable[[], contextlib.AbstractAsyncContextManager[Any]]) -> float:
    """Measure how long opening takes. Closing is not measured."""
    start = time.perf_counter()
    async with open_all():
        spent = time.perf_counter() - start
    return spent * 1e3


@contextlib.asynccontextmanager
async def _concurrently(connect: Callable[[], Awaitable[Any]]) -> AsyncIterator[None]:
    connections = await asyncio.gather(*(connect() for _ in range(CONNECTIONS)))
    yield
    await asyncio.gather(
        *(
            connection.ensure_closed() if isinstance(connection, aiomysql.Connection) else connection.close()
            for connection in connections
        )
    )


@contextlib.asynccontextmanager
async def _open(pool: Any) -> AsyncIterator[None]:
    await pool.open(wait=True)
    yield
    await pool.close()


async def _bare(place: Place, token: Any, tls: ssl.SSLContext) -> Connection:
    # aiomysql 0.3 cannot send a password of a token's length in its first packet, so this is its own subclass.
    connection = Connection(dial=None)  # type: ignore[arg-type]  # this connection never reconnects
    address: dict[str, Any] = {"host": "127.0.0.1", "port": place.emulator_port, "user": USER, "database": DATABASE}
    await connection.log_in(ConnectRequest(driver="aiomysql", password=token, tls=Tls(context=tls), **address))
    return connection
