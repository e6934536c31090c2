"""The time limit of a connect: it expires, and it tells its own cancellation from anybody else's."""

import asyncio
from collections.abc import Iterator

import pytest

from aws_iam_async.time_limit import TimeLimit
from benchmarks.virtual_loop import VirtualLoop

# Time jumps: nothing here waits. What does not end by itself would wait for an hour.
HOUR = 3600


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        yield runner


async def limited(seconds: float | None, work: float) -> None:
    with TimeLimit(seconds):
        await asyncio.sleep(work)


def test_what_takes_longer_ends_in_a_timeout_error(runner: asyncio.Runner) -> None:
    with pytest.raises(TimeoutError):
        runner.run(limited(60, HOUR))
    assert runner.get_loop().time() == 60


@pytest.mark.parametrize("seconds", [60, None])
def test_what_is_done_in_time_leaves_no_timer(runner: asyncio.Runner, seconds: float | None) -> None:
    async def done_in_time() -> float:
        await limited(seconds, 1)
        await asyncio.sleep(HOUR)
        return asyncio.get_running_loop().time()

    assert runner.run(done_in_time()) == 1 + HOUR


def test_a_limit_of_no_time_lets_nothing_wait(runner: asyncio.Runner) -> None:
    with pytest.raises(TimeoutError):
        runner.run(limited(0, HOUR))


def test_an_error_before_the_end_is_the_callers(runner: asyncio.Runner) -> None:
    async def fails() -> None:
        with TimeLimit(60):
            raise OSError("network is down")

    with pytest.raises(OSError, match="network is down"):
        runner.run(fails())


def test_somebody_elses_cancellation_stays_one(runner: asyncio.Runner) -> None:
    async def cancelled() -> bool:
        task = asyncio.create_task(limited(60, HOUR))
        asyncio.get_running_loop().call_later(30, task.cancel)
        await asyncio.wait([task])
        return task.cancelled()

    assert runner.run(cancelled())
    assert runner.get_loop().time() == 30


def test_a_cancellation_in_the_moment_of_expiry_stays_one(runner: asyncio.Runner) -> None:
    async def cancelled() -> bool:
        task = asyncio.create_task(limited(60, HOUR))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_at(60, task.cancel)
        await asyncio.wait([task])
        return task.cancelled()

    assert runner.run(cancelled())


def test_an_outer_limit_expires_through_an_inner_one(runner: asyncio.Runner) -> None:
    async def nested() -> bool:
        inner = TimeLimit(60)
        with pytest.raises(TimeoutError), TimeLimit(30) as outer, inner:
            await asyncio.sleep(HOUR)
        task = asyncio.current_task()
        assert task is not None
        return outer.expired and not inner.expired and not task.cancelling()

    assert runner.run(nested())


def test_it_needs_a_task(runner: asyncio.Runner) -> None:
    def outside_any_task(outcome: "asyncio.Future[None]") -> None:
        with pytest.raises(RuntimeError, match="needs a task"), TimeLimit(1):
            pass
        outcome.set_result(None)

    async def main() -> None:
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(outside_any_task, outcome)
        await outcome

    runner.run(main())
