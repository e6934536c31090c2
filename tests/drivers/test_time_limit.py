"""The time limit of a connect: it expires, and it tells its own cancellation from anybody else's."""

import asyncio
import contextlib
import contextvars
import gc
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from aws_iam_async.drivers.attempt import Attempt
from aws_iam_async.statistics import Attempts
from benchmarks.virtual_loop import VirtualLoop

# Time jumps: nothing here waits. What does not end by itself would wait for an hour.
HOUR = 3600


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        yield runner


def attempt(seconds: float | None) -> Attempt:
    return Attempt(seconds, Attempts(), close=list.clear)


async def limited(seconds: float | None, work: float) -> None:
    with attempt(seconds):
        await asyncio.sleep(work)


def test_what_takes_longer_ends_in_a_timeout_error(runner: asyncio.Runner) -> None:
    with pytest.raises(TimeoutError):
        runner.run(limited(60, HOUR))
    assert runner.get_loop().time() == 60


@pytest.mark.parametrize("seconds", [60, None])
def test_what_is_done_in_time_is_not_disturbed_later(runner: asyncio.Runner, seconds: float | None) -> None:
    async def done_in_time() -> float:
        await limited(seconds, 1)
        await asyncio.sleep(HOUR)
        return asyncio.get_running_loop().time()

    assert runner.run(done_in_time()) == 1 + HOUR


def test_any_number_of_limits_make_do_with_one_timer(runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    async def many() -> int:
        loop = asyncio.get_running_loop()
        set_timers = 0
        call_at = loop.call_at

        def counted(*args: Any, **kwargs: Any) -> asyncio.TimerHandle:
            nonlocal set_timers
            set_timers += 1
            return call_at(*args, **kwargs)

        monkeypatch.setattr(loop, "call_at", counted)
        for _ in range(1000):
            with attempt(60):
                pass
        return set_timers

    assert runner.run(many()) == 1


def test_each_limit_expires_in_its_own_time(runner: asyncio.Runner) -> None:
    async def ends(begin: float, seconds: float) -> float:
        await asyncio.sleep(begin)
        with pytest.raises(TimeoutError):
            await limited(seconds, HOUR)
        return asyncio.get_running_loop().time()

    async def several() -> Sequence[float]:
        return await asyncio.gather(ends(0, 60), ends(0, 60), ends(1, 60), ends(2, 5), ends(3, 600), ends(100, 1))

    assert [*runner.run(several())] == [60, 60, 61, 7, 603, 101]


def test_a_limit_of_no_time_lets_nothing_wait(runner: asyncio.Runner) -> None:
    with pytest.raises(TimeoutError):
        runner.run(limited(0, HOUR))


def test_an_error_before_the_end_is_the_callers(runner: asyncio.Runner) -> None:
    async def fails() -> None:
        with attempt(60):
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
        inner = attempt(60)
        with pytest.raises(TimeoutError), attempt(30) as outer, inner:
            await asyncio.sleep(HOUR)
        task = asyncio.current_task()
        assert task is not None
        return outer.expired and not inner.expired and not task.cancelling()

    assert runner.run(nested())


def test_it_needs_a_task(runner: asyncio.Runner) -> None:
    def outside_any_task(outcome: "asyncio.Future[None]") -> None:
        with pytest.raises(RuntimeError, match="needs a task"), attempt(1):
            pass
        outcome.set_result(None)

    async def main() -> None:
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(outside_any_task, outcome)
        await outcome

    runner.run(main())


def test_a_limit_that_was_kept_holds_nobodys_context(runner: asyncio.Runner) -> None:
    """A timer keeps the context that it was set in: a web request and all that hangs on it."""
    request: contextvars.ContextVar[Place] = contextvars.ContextVar("request")

    async def serve() -> weakref.ref[Place]:
        place = Place()
        request.set(place)
        with attempt(HOUR):
            pass
        return weakref.ref(place)

    async def main() -> Place | None:
        kept = await asyncio.create_task(serve())
        await asyncio.sleep(0)  # the loop itself lets go of it
        gc.collect()
        return kept()

    assert runner.run(main()) is None


class Place:
    """What a web framework keeps in its context."""


def test_what_is_made_after_a_failed_attempt_is_closed_at_once(runner: asyncio.Runner) -> None:
    async def late() -> list[str]:
        closed: list[str] = []
        failing = Attempt(None, Attempts(), closed.append)
        with contextlib.suppress(OSError), failing:
            failing.made("in time")
            raise OSError
        failing.made("late")
        return closed

    assert runner.run(late()) == ["in time", "late"]


def test_what_is_made_after_a_good_attempt_is_its_makers(runner: asyncio.Runner) -> None:
    async def late() -> list[str]:
        closed: list[str] = []
        with Attempt(None, Attempts(), closed.append) as good:
            good.made("in time")
        good.made("late")
        return closed

    assert runner.run(late()) == []
