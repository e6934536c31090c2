"""Measures the cost of the plugin ``role``: round trips for each connection, and time for each query of a pool.

The servers are real, without TLS and tokens. Connections go to a server at a distance of 20 ms. A query reads one row,
and includes taking the connection from the pool and returning it.
"""

import asyncio
import contextlib
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aws_iam_async import PluginManager
from aws_iam_async.testing import MariadbServer, PostgresServer
from benchmarks import distance, interleaved
from benchmarks.line import Line, Spread, Target

CONNECTIONS = 7
TURNS = 1500
ROUND_TRIP = 2 * distance.ONE_WAY * 1e3  # ms
# The additional round trips. PostgreSQL 14 and newer report their role during the login.
ROUND_TRIPS = {"asyncpg": 0, "psycopg": 0, "aiomysql": 1}
WITHOUT, OURS = "without the plugin", "this package, role"


def measure() -> list[Line]:
    """Run the benchmark."""
    lines = []
    for kind, names in ((PostgresServer, ("asyncpg", "psycopg")), (MariadbServer, ("aiomysql",))):
        with kind() as server:
            server.create_user("app")
            server.create_database("shop", owner="app")
            upstream = server.upstream
            socket = Path(str(upstream.unix_socket))
            with distance.between(str(socket)) as (port,):
                for driver in names:
                    login = {"driver": driver, "user": "app", "database": "shop", "password": upstream.password or None}
                    far = login | {"host": "127.0.0.1", "port": port, "sslmode": "disable"}
                    near = login | _near(driver, socket)
                    lines += [asyncio.run(_connections(driver, far)), asyncio.run(_queries(driver, near))]
    return lines


def _near(driver: str, socket: Path) -> dict[str, Any]:
    return {"unix_socket": str(socket)} if driver == "aiomysql" else {"host": str(socket.parent)}


async def _connections(driver: str, login: dict[str, Any]) -> Line:
    async with PluginManager("") as plain, PluginManager("role") as manager:
        subjects: dict[str, Callable[[], contextlib.AbstractAsyncContextManager[Any]]] = {
            WITHOUT: lambda: plain.connect(**login),
            OURS: lambda: manager.connect(role="writer", **login),
        }
        times: dict[str, list[float]] = {name: [] for name in subjects}
        for _ in range(CONNECTIONS):
            for name in random.sample(list(subjects), len(subjects)):
                start = time.perf_counter()
                async with subjects[name]():
                    times[name].append((time.perf_counter() - start) * 1e3)
    spreads = {name: Spread.of(several) for name, several in times.items()}
    # Compare the fastest connections, because a busy machine only makes them slower.
    more = (min(times[OURS]) - min(times[WITHOUT])) / ROUND_TRIP
    targets = [Target("round trips more", more, ROUND_TRIPS[driver] + 0.5)]
    return Line(f"{driver} role at connect", "ms for a connection, 20 ms away", spreads, targets)


async def _queries(driver: str, login: dict[str, Any]) -> Line:
    names = ("minsize", "maxsize") if driver == "aiomysql" else ("min_size", "max_size")
    size: dict[str, Any] = dict.fromkeys(names, 1)
    query = QUERIES[driver]
    async with (
        PluginManager("") as plain,
        PluginManager("role") as manager,
        plain.create_pool(**size, **login) as plain_pool,
        manager.create_pool(role="writer", **size, **login) as role_pool,
    ):
        subjects: interleaved.Subjects = {WITHOUT: lambda: query(plain_pool), OURS: lambda: query(role_pool)}
        for subject in subjects.values():
            await subject()
        runs = [await interleaved.measure(subjects, turns=1, calls=5, clock=time.perf_counter) for _ in range(TURNS)]
    spreads = {name: Spread.of([run[name].median for run in runs]) for name in subjects}
    # Compare within short turns, because the speed of a busy machine changes by more than 2 %.
    ratio = statistics.median(run[OURS].median / run[WITHOUT].median for run in runs)
    targets = [Target("of a query without the plugin", ratio, 1.02)]
    return Line(f"{driver} query of a watched pool", "µs", spreads, targets)


async def _asyncpg(pool: Any) -> None:
    async with pool.acquire() as connection:
        await connection.fetchrow("SELECT 1")


async def _psycopg(pool: Any) -> None:
    async with pool.connection() as connection:
        await (await connection.execute("SELECT 1")).fetchone()


async def _aiomysql(pool: Any) -> None:
    async with pool.acquire() as connection, connection.cursor() as cursor:
        await cursor.execute("SELECT 1")
        await cursor.fetchone()


QUERIES: dict[str, Callable[[Any], Awaitable[None]]] = {
    "asyncpg": _asyncpg,
    "psycopg": _psycopg,
    "aiomysql": _aiomysql,
}
