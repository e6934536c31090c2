"""Measures how long a returned connection takes to reach a waiting task while an aiomysql pool is growing.

One connection is in use, and 20 tasks wait for another. The pool opens new connections to a database at a distance of
20 ms. Then the first connection is returned to the pool. This is repeated at several moments of a login, because the
event loop has different work in each phase. Logins are as in ``pool_fill``: aiomysql with a password and without TLS,
this package with a token and TLS.
"""

import asyncio
import contextlib
import random
import ssl
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import aiomysql

from aws_iam_async import PluginManager
from benchmarks import distant_database
from benchmarks.distant_database import Place
from benchmarks.line import Line, Spread, Target

WAITERS = 20
MOMENTS = range(5, 150, 10)
"""When the connection is returned, in milliseconds after the tasks began to wait.

A login of aiomysql waits for the network 8 times 20 ms, which is 160 ms.
"""

AIOMYSQL = "aiomysql"
OURS = "this package"


class HandOver(NamedTuple):
    """The measurement of one run.

    Attributes:
        milliseconds: The time from the return of the connection until a task had it.
        attempts: The number of connection attempts that were in progress.
    """

    milliseconds: float
    attempts: float


def measure() -> list[Line]:
    """Run the benchmark."""
    with distant_database.running("aiomysql") as place:
        return [asyncio.run(_measure(place))]


async def _measure(place: Place) -> Line:
    context = ssl.create_default_context(cafile=place.ca_file)
    size: dict[str, Any] = {"minsize": 1, "maxsize": 1 + WAITERS}
    async with PluginManager() as manager:
        subjects: dict[str, Callable[[], contextlib.AbstractAsyncContextManager[aiomysql.Pool]]] = {
            AIOMYSQL: lambda: aiomysql.create_pool(**size, **place.password_login),
            OURS: lambda: manager.create_pool(**size, ssl=context, **place.token_login),
        }
        runs: dict[str, list[HandOver]] = {name: [] for name in subjects}
        for moment in random.sample(MOMENTS, len(MOMENTS)):
            for name in random.sample(list(subjects), len(subjects)):
                runs[name].append(await _hand_over(subjects[name], moment / 1000))
    spreads = {name: Spread.of([run.milliseconds for run in several]) for name, several in runs.items()}
    attempts = {f"connects under way, {name}": max(run.attempts for run in several) for name, several in runs.items()}
    return Line(
        "aiomysql hand-over",
        f"ms until a waiter has what is given back while {WAITERS} wait",
        spreads,
        [Target("ms", spreads[OURS].median, 5)],
        attempts,
    )


async def _hand_over(
    open_pool: Callable[[], contextlib.AbstractAsyncContextManager[aiomysql.Pool]], after: float
) -> HandOver:
    async with open_pool() as pool:
        returned = await pool.acquire()
        arrivals: list[float] = []
        waiters = [asyncio.create_task(_wait(pool, returned, arrivals)) for _ in range(WAITERS)]
        await asyncio.sleep(after)
        too_late = any(waiter.done() for waiter in waiters)
        attempts = pool.size - 1
        start = time.perf_counter()
        pool.release(returned)
        await asyncio.gather(*waiters)
    # On a busy machine, the sleep can take too long. A task then has a new connection already, so repeat the run.
    return await _hand_over(open_pool, after) if too_late else HandOver((arrivals[0] - start) * 1e3, attempts)


async def _wait(pool: aiomysql.Pool, expected: Any, arrivals: list[float]) -> None:
    async with pool.acquire() as connection:
        if connection is expected:
            arrivals.append(time.perf_counter())
