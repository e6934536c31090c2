"""``max_connection_lifetime``: a connection that is older is replaced when it comes back to its pool."""

import asyncio
import time
from typing import Any

import pytest

from aws_iam_async import ConfigurationError, PluginManager, create_pool
from aws_iam_async.drivers.protocol import Lifetimes
from tests.failover.conftest import Place, physical, until

HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
LIFETIME = 1000.0


class Clock:
    """The monotonic clock, from which a test may be ahead."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._real = time.monotonic

    def __call__(self) -> float:
        return self._real() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("aws_iam_async.drivers.protocol.time.monotonic", clock)
    monkeypatch.setattr("psycopg_pool.pool_async.monotonic", clock)
    monkeypatch.setattr("psycopg_pool.base.monotonic", clock)
    return clock


def pool_of(place: Place, least: int, most: int, **options: Any) -> Any:
    """Create a pool without the plugin ``role``."""
    manager = PluginManager("iam")
    arguments = place._options(place.writer) | options
    names = ("minsize", "maxsize") if place.driver == "aiomysql" else ("min_size", "max_size")
    arguments |= dict(zip(names, (least, most), strict=True))
    return manager.create_pool(place.writer.dsn("app", "shop"), **arguments)


def size(place: Place, pool: Any) -> int:
    if place.driver == "asyncpg":
        return int(pool.get_size())
    return int(pool.size if place.driver == "aiomysql" else pool.get_stats()["pool_size"])


async def test_an_old_connection_is_replaced_when_it_comes_back(place: Place, clock: Clock) -> None:
    async with pool_of(place, 1, 1, max_connection_lifetime=LIFETIME) as pool:
        connection = await place.take(pool)
        before = physical(connection)
        clock.ahead = 1.2 * LIFETIME
        await asyncio.sleep(0.05)
        assert await place.execute(connection, "SELECT 1") == [(1,)]  # never while it is in use
        await place.give(pool, connection)
        await until(lambda: place.is_closed(before))
        (after,) = await place.held(pool, 1)
        assert after is not before


async def test_a_young_connection_stays(place: Place, clock: Clock) -> None:
    async with pool_of(place, 1, 1, max_connection_lifetime=LIFETIME) as pool:
        (before,) = await place.held(pool, 1)
        clock.ahead = 0.8 * LIFETIME
        assert await place.held(pool, 1) == [before]


async def test_a_pool_keeps_its_least_size(place: Place, clock: Clock) -> None:
    async with pool_of(place, 3, 3, max_connection_lifetime=LIFETIME) as pool:
        before = await place.held(pool, 3)
        clock.ahead = 1.2 * LIFETIME
        await place.held(pool, 3)
        await until(lambda: all(map(place.is_closed, before)))
        await until(lambda: size(place, pool) == 3)
        await place.left(place.writer, 3)


@pytest.mark.parametrize("driver", ["asyncpg"])
async def test_hooks_of_asyncpgs_pool_run_as_ever(place: Place, clock: Clock) -> None:
    calls: list[str] = []

    def hook(name: str) -> Any:
        async def call(connection: Any) -> None:
            assert await connection.fetchval("SELECT 1") == 1
            calls.append(name)

        return call

    hooks = {name: hook(name) for name in ("init", "setup", "reset")}
    async with pool_of(place, 1, 1, max_connection_lifetime=LIFETIME, **hooks) as pool:
        await place.held(pool, 1)
        assert calls == ["init", "setup", "reset"]
        clock.ahead = 1.2 * LIFETIME
        await place.held(pool, 1)
        await place.held(pool, 1)
    assert calls == ["init", "setup", "reset", "setup", "init", "setup", "reset"]


def test_connections_do_not_end_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Connection:
        pass

    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    lifetimes = Lifetimes(100.0)
    connections = [Connection() for _ in range(200)]
    for connection in connections:
        lifetimes.start(connection)
    alive: list[int] = []
    for now in (89.0, 95.0, 100.0, 105.0, 111.0):  # noqa: B007 - the clock
        alive.append(sum(not lifetimes.is_over(connection) for connection in connections))  # noqa: PERF401 - `now`
    assert alive[0] == 200
    assert alive[-1] == 0
    assert sorted(set(alive), reverse=True) == alive
    lifetimes = Lifetimes(None)
    lifetimes.start(connections[0])
    assert not lifetimes.is_over(connections[0])
    lifetimes.end_all()
    assert lifetimes.is_over(connections[0])
    lifetimes.start(connections[0])
    assert not lifetimes.is_over(connections[0])


@pytest.mark.parametrize("value", [0, -1, float("nan"), "x", "60", True, [1]])
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg", "aiomysql"])
async def test_another_value_is_refused_before_any_traffic(driver: str, value: Any) -> None:
    options: dict[str, Any] = {"driver": driver, "host": HOST, "user": "app", "max_connection_lifetime": value}
    with pytest.raises(ConfigurationError, match="max_connection_lifetime"):
        await create_pool(**options)


@pytest.mark.parametrize("value", [None, 0.5, float("inf")])
async def test_other_values_are_accepted(place: Place, value: Any) -> None:
    async with pool_of(place, 1, 1, max_connection_lifetime=value) as pool:
        await place.held(pool, 1)


async def test_psycopgs_own_name_means_the_same() -> None:
    address: dict[str, Any] = {"driver": "psycopg", "host": HOST, "user": "app"}
    with pytest.raises(ConfigurationError, match="max_connection_lifetime must be a number"):
        await create_pool(**address, max_lifetime=0)
    with pytest.raises(ConfigurationError, match="two names of one option"):
        await create_pool(**address, max_lifetime=60, max_connection_lifetime=60)


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg", "aiomysql"])
async def test_a_single_connection_has_no_such_option(driver: str) -> None:
    options: dict[str, Any] = {"driver": driver, "host": HOST, "user": "app", "max_connection_lifetime": 60}
    async with PluginManager() as manager:
        with pytest.raises(ConfigurationError, match="is an option of a pool"):
            await manager.connect(**options)


async def test_a_connection_that_is_old_is_examined_if_its_write_failed(place: Place, clock: Clock) -> None:
    async with place.create_pool(2, 2, max_connection_lifetime=LIFETIME, **place.limit(60)) as pool:
        connection = await place.take(pool)
        await place.demote()
        await place.refuse_write(connection)
        clock.ahead = 1.2 * LIFETIME
        await place.give(pool, connection)
        await until(lambda: place.manager.statistics().retirements == 1)
        await place.promote()
