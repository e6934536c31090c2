"""The time limit of a connection attempt: it is the driver's own, and it leaves everyone else's cancellation alone."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import aiomysql
import psycopg
import pytest

from aws_iam_async import ConnectNext, ConnectRequest, PluginManager
from benchmarks import stubbed_driver
from benchmarks.virtual_loop import VirtualLoop

# Time jumps: nothing here waits. What does not end by itself would wait for an hour.
HOUR = 3600


@dataclass
class Limited:
    """How a driver limits an attempt, and which error its users expect then."""

    driver: str
    option: str
    error: type[Exception]

    async def connect(self, seconds: float | None, work: Callable[[], Awaitable[object]]) -> Any:
        """An attempt in which a plugin works for a while before anything is dialled."""

        class Working:
            async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
                await work()
                return await call_next(request)

        options: dict[str, Any] = {"driver": self.driver, "host": "db.example", "user": "app", self.option: seconds}
        return await PluginManager([Working()]).connect(**options)


ASYNCPG = Limited("asyncpg", "timeout", TimeoutError)
AIOMYSQL = Limited("aiomysql", "connect_timeout", aiomysql.OperationalError)
PSYCOPG = Limited("psycopg", "connect_timeout", psycopg.errors.ConnectionTimeout)


@pytest.fixture(params=[ASYNCPG, AIOMYSQL, PSYCOPG], ids=["asyncpg", "aiomysql", "psycopg"])
def limited(request: pytest.FixtureRequest) -> Limited:
    found: Limited = request.param

    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):  # and the driver has been imported, which takes real time
        asyncio.run(found.connect(None, fail))
    return found


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        yield runner


async def an_hour() -> None:
    await asyncio.sleep(HOUR)


def test_what_takes_longer_ends_in_the_drivers_own_error(runner: asyncio.Runner, limited: Limited) -> None:
    with pytest.raises(limited.error, match="within 60 s"):
        runner.run(limited.connect(60, an_hour))
    assert runner.get_loop().time() == 60


@pytest.mark.parametrize("seconds", [60, None])
def test_what_is_done_in_time_is_not_disturbed_later(runner: asyncio.Runner, seconds: float | None) -> None:
    async def done_in_time() -> float:
        with stubbed_driver.stubbed():
            await ASYNCPG.connect(seconds, lambda: asyncio.sleep(1))
        await asyncio.sleep(HOUR)
        return asyncio.get_running_loop().time()

    assert runner.run(done_in_time()) == 1 + HOUR


def test_each_limit_expires_in_its_own_time(runner: asyncio.Runner, limited: Limited) -> None:
    async def ends(begin: float, seconds: float) -> float:
        await asyncio.sleep(begin)
        with pytest.raises(limited.error):
            await limited.connect(seconds, an_hour)
        return asyncio.get_running_loop().time()

    async def several() -> Sequence[float]:
        return await asyncio.gather(ends(0, 60), ends(0, 60), ends(1, 60), ends(2, 5), ends(3, 600), ends(100, 1))

    assert [*runner.run(several())] == [60, 60, 61, 7, 603, 101]


def test_an_error_before_the_end_is_the_callers(runner: asyncio.Runner, limited: Limited) -> None:
    async def fail() -> None:
        raise OSError("network is down")

    with pytest.raises(OSError, match="network is down"):
        runner.run(limited.connect(60, fail))


@pytest.mark.parametrize("moment", [30, 60], ids=["before", "in the moment of expiry"])
def test_a_cancellation_by_the_caller_stays_one(runner: asyncio.Runner, limited: Limited, moment: float) -> None:
    async def cancelled() -> bool:
        task = asyncio.create_task(limited.connect(60, an_hour))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_at(moment, task.cancel)
        await asyncio.wait([task])
        return task.cancelled()

    assert runner.run(cancelled())
    assert runner.get_loop().time() == moment


def test_an_outer_limit_expires_through_it(runner: asyncio.Runner, limited: Limited) -> None:
    async def nested() -> int:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await limited.connect(60, an_hour)
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert runner.run(nested()) == 0
    assert runner.get_loop().time() == 30


def test_what_others_make_of_the_cancellation_is_the_drivers_error_too(
    runner: asyncio.Runner, limited: Limited
) -> None:
    async def reworded() -> None:
        try:
            await asyncio.sleep(HOUR)
        except asyncio.CancelledError:
            raise TimeoutError("a plugin's own") from None

    with pytest.raises(limited.error, match="within 60 s"):
        runner.run(limited.connect(60, reworded))


def test_nothing_is_left_of_it(runner: asyncio.Runner, limited: Limited) -> None:
    async def main() -> set["asyncio.Task[Any]"]:
        with pytest.raises(limited.error):
            await limited.connect(60, an_hour)
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert runner.run(main()) == set()
