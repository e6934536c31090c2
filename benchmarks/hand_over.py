"""How long a connection that is given back to a pool of aiomysql takes to reach a waiter, while the pool is growing.

One connection is in use and 20 tasks wait for another, for which the pool dials a database that is 20 ms away. Then the
one is given back. That is done at several moments, spread evenly over the time that a login of aiomysql takes, because
what the loop has to do changes in the course of it. Who dials how is as in ``pool_fill``.
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
"""Milliseconds after they began to wait. A login of aiomysql takes the way from here to there 8 times: 160."""

AIOMYSQL = "aiomysql"
OURS = "this package"


class HandOver(NamedTuple):
    """What was measured.

    Attributes:
        milliseconds: From the giving back until a waiter had the connection.
        dials: How many connects were under way.
    """

    milliseconds: float
    dials: float


def measure() -> list[Line]:
    """Measure."""
    with distant_database.running("aiomysql") as place:
        return [asyncio.run(_measure(place))]


async def _measure(place: Place) -> Line:
    trust = ssl.create_default_context(cafile=place.authority)
    size: dict[str, Any] = {"minsize": 1, "maxsize": 1 + WAITERS}
    async with PluginManager() as manager:
        subjects: dict[str, Callable[[], contextlib.AbstractAsyncContextManager[aiomysql.Pool]]] = {
            AIOMYSQL: lambda: aiomysql.create_pool(**size, **place.password_login),
            OURS: lambda: manager.create_pool(**size, ssl=trust, **place.token_login),
        }
        runs: dict[str, list[HandOver]] = {name: [] for name in subjects}
        for moment in random.sample(MOMENTS, len(MOMENTS)):
            for name in random.sample(list(subjects), len(subjects)):
                runs[name].append(await _hand_over(subjects[name], moment / 1000))
    spreads = {name: Spread.of([run.milliseconds for run in several]) for name, several in runs.items()}
    dials = {f"connects under way, {name}": max(run.dials for run in several) for name, several in runs.items()}
    return Line(
        "aiomysql hand-over",
        f"ms until a waiter has what is given back while {WAITERS} wait",
        spreads,
        [Target("ms", spreads[OURS].median, 5)],
        dials,
    )


async def _hand_over(
    opened: Callable[[], contextlib.AbstractAsyncContextManager[aiomysql.Pool]], after: float
) -> HandOver:
    async with opened() as pool:
        given_back = await pool.acquire()
        arrivals: list[float] = []
        waiters = [asyncio.create_task(_wait(pool, given_back, arrivals)) for _ in range(WAITERS)]
        await asyncio.sleep(after)
        too_late = any(waiter.done() for waiter in waiters)
        dials = pool.size - 1
        start = time.perf_counter()
        pool.release(given_back)
        await asyncio.gather(*waiters)
    # A machine that is busy with something else can oversleep: then the first has a new connection already.
    return await _hand_over(opened, after) if too_late else HandOver((arrivals[0] - start) * 1e3, dials)


async def _wait(pool: aiomysql.Pool, expected: Any, arrivals: list[float]) -> None:
    async with pool.acquire() as connection:
        if connection is expected:
            arrivals.append(time.perf_counter())
