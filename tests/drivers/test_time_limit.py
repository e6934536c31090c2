"""The time limit of a connect: it expires, and it tells its own cancellation from anybody else's."""

import asyncio
import contextlib
import contextvars
import gc
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from aws_iam_async.deadlines import Deadlines
from aws_iam_async.drivers.attempt import Attempt
from aws_iam_async.request import ConnectRequest
from aws_iam_async.statistics import Attempts
from benchmarks.virtual_loop import VirtualLoop

# Time jumps: nothing here waits. What does not end by itself would wait for an hour.
HOUR = 3600


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        yield runner


class Dialler:
    """Makes texts for connections."""

    def __init__(self) -> None:
        self.closed: list[str] = []

    def cut(self, connection: str) -> None:
        self.closed.append(connection)

    def overdue(self, request: ConnectRequest, seconds: float) -> Exception:
        return TooLateError(f"{request.host} after {seconds:g} s")


class TooLateError(Exception):
    """What this driver's users expect."""


def attempt(seconds: float | None, dialler: Dialler | None = None) -> Attempt:
    return Attempt(dialler or Dialler(), ConnectRequest(driver="made up", host="db.example"), seconds, Attempts())


async def limited(seconds: float | None, work: float) -> None:
    with attempt(seconds):
        await asyncio.sleep(work)


def test_what_takes_longer_ends_in_the_drivers_own_error(runner: asyncio.Runner) -> None:
    with pytest.raises(TooLateError, match=r"db\.example after 60 s") as raised:
        runner.run(limited(60, HOUR))
    assert isinstance(raised.value.__cause__, TimeoutError)
    assert isinstance(raised.value.__cause__.__cause__, asyncio.CancelledError)
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
        with pytest.raises(TooLateError):
            await limited(seconds, HOUR)
        return asyncio.get_running_loop().time()

    async def several() -> Sequence[float]:
        return await asyncio.gather(ends(0, 60), ends(0, 60), ends(1, 60), ends(2, 5), ends(3, 600), ends(100, 1))

    assert [*runner.run(several())] == [60, 60, 61, 7, 603, 101]


def test_the_timer_is_set_anew_before_anybody_is_told(runner: asyncio.Runner) -> None:
    """Whatever goes wrong with one must not stop the others' limits."""

    class Failing:
        def expire(self) -> None:
            raise RuntimeError("cannot be told")

    async def several() -> tuple[list[str], float]:
        loop, complaints = asyncio.get_running_loop(), []
        loop.set_exception_handler(lambda _, context: complaints.append(str(context.get("exception"))))
        kept = Deadlines()
        told = loop.create_future()
        kept.add(Failing(), 30)
        kept.add(Telling(told), 60)
        await told
        return complaints, loop.time()

    assert runner.run(several()) == (["cannot be told"], 60)


class Telling:
    def __init__(self, told: "asyncio.Future[None]") -> None:
        self._told = told

    def expire(self) -> None:
        self._told.set_result(None)


def test_a_limit_of_no_time_lets_nothing_wait(runner: asyncio.Runner) -> None:
    with pytest.raises(TooLateError):
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
    async def nested() -> int:
        with pytest.raises(TooLateError, match="after 30 s"), attempt(30), attempt(60):
            await asyncio.sleep(HOUR)
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert runner.run(nested()) == 0


def test_what_others_make_of_the_cancellation_is_the_drivers_error_too(runner: asyncio.Runner) -> None:
    async def reworded() -> None:
        with attempt(60):
            try:
                await asyncio.sleep(HOUR)
            except asyncio.CancelledError:
                raise TimeoutError("a plugin's own") from None

    with pytest.raises(TooLateError, match="after 60 s"):
        runner.run(reworded())


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
        dialler = Dialler()
        failing = attempt(None, dialler)
        with contextlib.suppress(OSError), failing:
            failing.made("in time")
            raise OSError
        failing.made("late")
        return dialler.closed

    assert runner.run(late()) == ["in time", "late"]


def test_what_is_made_after_a_good_attempt_is_its_makers(runner: asyncio.Runner) -> None:
    async def late() -> tuple[list[str], Place | None]:
        dialler = Dialler()
        with attempt(None, dialler) as good:
            good.made("in time")
        made = Place()
        good.made(made)
        kept = weakref.ref(made)
        del made
        return dialler.closed, kept()

    assert runner.run(late()) == ([], None)
