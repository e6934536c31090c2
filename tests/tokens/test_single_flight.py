"""One run for all who ask, whatever becomes of it: slow to end after it was cancelled, ended by others, or at once."""

import asyncio
import gc
import weakref

import pytest

from aws_iam_async.errors import CredentialsError
from aws_iam_async.single_flight import SingleFlight
from tests.tokens.conftest import settle

EAGER = getattr(asyncio, "eager_task_factory", None)


async def test_the_next_run_waits_for_the_slow_end_of_a_cancelled_one() -> None:
    started = 0
    gate, end = asyncio.Event(), asyncio.Event()

    async def function(key: str) -> str:
        nonlocal started
        started += 1
        number = started
        try:
            await gate.wait()
        finally:
            if number == 1:
                await end.wait()
        return f"{key}{number}"

    flights = SingleFlight(function)
    gone = asyncio.create_task(flights.run("a"))
    await settle()
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone  # at once
    second = asyncio.create_task(flights.run("a"))
    other = asyncio.create_task(flights.run("b"))
    await settle()
    assert started == 2  # not the second one for "a"
    end.set()  # only now has the first one ended
    await settle()
    assert started == 3
    third = asyncio.create_task(flights.run("a"))
    await settle()
    gate.set()
    assert {await second, await third, await other} == {"a3", "b2"}
    assert "a" not in flights.flying
    assert flights._ends == {}


async def test_waiting_for_the_end_may_be_cancelled_too() -> None:
    running = most_at_once = 0
    end = asyncio.Event()

    async def function(_: str) -> None:
        nonlocal running, most_at_once
        running += 1
        most_at_once = max(most_at_once, running)
        try:
            await asyncio.sleep(0 if end.is_set() else 3600)
        finally:
            await end.wait()
            running -= 1

    flights = SingleFlight(function)
    for _ in range(3):
        gone = asyncio.create_task(flights.run("a"))
        await settle()
        gone.cancel()
    last = asyncio.create_task(flights.run("a"))
    await settle()
    end.set()
    await last
    await flights.cancelled_ones_end()
    assert (running, most_at_once) == (0, 1)


async def test_an_error_of_another_kind_is_raised_as_it_is() -> None:
    bug = ZeroDivisionError("a bug")

    async def function(_: str) -> str:
        raise bug

    with pytest.raises(ZeroDivisionError) as raised:
        await SingleFlight(function).run("a")
    assert raised.value is bug
    assert "function" in {entry.name for entry in raised.traceback}


async def test_an_error_of_the_callers_own_kind_is_copied_whole() -> None:
    class VaultError(CredentialsError):
        def __init__(self, code: int, text: str) -> None:
            super().__init__(f"{text} ({code})")
            self.code = code

    async def function(_: str) -> str:
        await asyncio.sleep(0)
        error = VaultError(503, "the vault is sealed")
        error.add_note("unseal it")
        raise error

    flights = SingleFlight(function)
    first, second = await asyncio.gather(flights.run("a"), flights.run("a"), return_exceptions=True)
    assert first is not second
    for error in (first, second):
        assert isinstance(error, VaultError)
        assert (str(error), error.code, error.__notes__) == ("the vault is sealed (503)", 503, ["unseal it"])
    first.add_note("told to the first alone")  # type: ignore[union-attr]  # seen to be an exception
    assert second.__notes__ == ["unseal it"]  # type: ignore[union-attr]  # seen to be an exception


@pytest.mark.parametrize("passes", [0, 1, 2])  # before the run has begun, and after
async def test_who_waits_is_not_cancelled_with_a_run_that_others_cancel(passes: int) -> None:
    started = 0

    async def function(_: str) -> int:
        nonlocal started
        started += 1
        number = started
        await asyncio.sleep(0.001)
        return number

    flights = SingleFlight(function)
    mine = asyncio.current_task()
    waiting = [asyncio.create_task(flights.run("a")) for _ in range(2)]
    await asyncio.sleep(0)
    for _ in range(passes):
        await asyncio.sleep(0)
    (run,) = asyncio.all_tasks() - {mine, *waiting}
    run.cancel()
    first, second = await asyncio.gather(*waiting)
    assert first == second == started  # both by the same new run
    assert started == (1 if passes == 0 else 2)
    assert (flights.flying, flights._ends) == ({}, {})


@pytest.mark.skipif(EAGER is None, reason="eager tasks came with CPython 3.12")
async def test_eager_tasks() -> None:
    asyncio.get_running_loop().set_task_factory(EAGER)
    joined: list[asyncio.Task[str]] = []

    async def function(key: str) -> str:
        if key == "joined" and not joined:
            joined.append(asyncio.create_task(flights.run(key)))  # before the first wait
        return key

    flights = SingleFlight(function)
    assert await asyncio.create_task(flights.run("at once")) == "at once"
    assert await asyncio.create_task(flights.run("joined")) == "joined"
    assert await joined[0] == "joined"
    assert (flights.flying, flights._ends) == ({}, {})


@pytest.mark.parametrize("end", ["fails", "is cancelled"])
async def test_what_a_run_held_is_let_go_at_once(end: str) -> None:
    class Held:
        pass

    held: list[weakref.ref[Held]] = []

    async def function(_: str) -> None:
        mine = Held()
        held.append(weakref.ref(mine))
        await asyncio.sleep(0)
        if end == "fails":
            raise CredentialsError("no")
        await asyncio.sleep(3600)

    flights = SingleFlight(function)
    gc.disable()  # no cycle keeps it until the collector comes
    try:
        waiting = asyncio.create_task(flights.run("a"))
        await settle()
        if end == "is cancelled":
            waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled() or isinstance(waiting.exception(), CredentialsError)
        del waiting
        await settle()
        assert [reference() for reference in held] == [None]
    finally:
        gc.enable()
