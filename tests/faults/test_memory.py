"""Connections that come and go, and logins that fail, leave no object behind, however many there were."""

import asyncio
import contextlib
import gc
import logging
from collections import Counter

import pytest

from aws_iam_async import PluginManager
from tests.faults.leaks import Leaks
from tests.faults.site import Site

SIZE = 4
ROUNDS = 6
# Of a kind: three times as many connections were made, and at most one pool lingers for a moment.
LEEWAY = SIZE * ROUNDS
DRIVERS = {"aiomysql", "asyncpg", "psycopg", "psycopg_pool"}
OWN = DRIVERS | {"_asyncio", "_ssl", "asyncio", "aws_iam_async", "ssl", "uvloop"}


async def use_and_lose(place: Site, manager: PluginManager) -> None:
    """Fill a pool, cut its connections, and let it reconnect. Then refuse a login, and let another one time out."""

    async def use() -> None:
        with contextlib.suppress(*place.known_errors):
            async with place.acquire(pool) as connection:
                await place.execute(connection, "SELECT 1")

    async def fail(**options: float) -> None:
        with contextlib.suppress(*place.known_errors):
            await place.close(await place.connect(manager, **options))

    async with place.create_pool(manager, SIZE, SIZE) as pool:
        for _ in range(2):
            place.emulator.cut_connections()
            await asyncio.gather(*(use() for _ in range(2 * SIZE)))
    place.emulator.faults.reject_next(2)
    await fail()
    await fail(**place.limit(0.001))
    place.emulator.reset()


def objects() -> Counter[str]:
    """How many there are of each kind, less Python's own, of which other tests leave some to be cleared away."""
    gc.collect()
    kinds = Counter(type(found) for found in gc.get_objects())
    return Counter({str(kind): count for kind, count in kinds.items() if str(kind.__module__).partition(".")[0] in OWN})


async def test_objects_are_as_many_as_before(
    place: Site, manager: PluginManager, leaks: Leaks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "psycopg.pool")  # its records hold the connections that they are about

    async def repeat(rounds: int) -> None:
        for _ in range(rounds):
            await use_and_lose(place, manager)
        await leaks.none()
        place.emulator.reset()

    await repeat(3)
    before = objects()
    await repeat(ROUNDS)
    assert {kind: count for kind, count in (objects() - before).items() if count >= LEEWAY} == {}
