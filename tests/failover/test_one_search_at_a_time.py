"""However many callers wait for the writer, one of them looks for it at a time."""

import asyncio
import threading

import aiomysql
import asyncpg
import psycopg
import pytest

from aws_iam_async import WrongServerError, pipeline, search
from aws_iam_async.testing import Emulator
from tests.failover.conftest import TIMED_OUT, Place, insert, until

WINDOW = 2.5  # seconds
CALLERS = 6
REJECTED = (asyncpg.InvalidAuthorizationSpecificationError, psycopg.OperationalError, aiomysql.OperationalError)
MOST = CALLERS + 2 * WINDOW + 1  # each may try once at the start


async def refused_logins(emulator: Emulator, callers: list[asyncio.Task[None]]) -> int:
    """Count the logins in a window, and end the callers."""
    await asyncio.sleep(WINDOW)
    logins = len(emulator.logins)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    return logins


async def test_the_callers_of_a_pool(place: Place) -> None:
    async with place.create_pool(0, CALLERS, of=place.reader) as pool:
        callers = [asyncio.create_task(place.take(pool)) for _ in range(CALLERS)]
        assert 3 <= await refused_logins(place.reader, callers) <= MOST


async def test_the_callers_of_an_engine(place: Place) -> None:
    engine = place.create_engine(of=place.reader, pool_size=CALLERS)
    callers = [asyncio.create_task(insert(engine)) for _ in range(CALLERS)]
    assert 3 <= await refused_logins(place.reader, callers) <= MOST


async def test_all_callers_are_served_when_the_writer_is_found(place: Place) -> None:
    await place.demote()
    async with place.create_pool(0, CALLERS, **place.limit(60)) as pool:
        callers = [asyncio.create_task(place.take(pool)) for _ in range(CALLERS)]
        await until(lambda: place.manager.statistics().wrong_servers)
        callers.pop().cancel()
        await place.promote()
        for connection in await asyncio.gather(*callers):
            await place.write(connection)
            await place.give(pool, connection)


async def test_cancelling_the_caller_whose_turn_it_is_lets_the_next_one_try(place: Place) -> None:
    await place.demote()
    async with place.create_pool(0, 2, **place.limit(60)) as pool:
        first, second = (asyncio.create_task(place.take(pool)) for _ in range(2))
        await until(lambda: place.manager.statistics().wrong_servers)
        first.cancel()
        await place.promote()
        connection = await second
        await place.write(connection)
        await place.give(pool, connection)


async def test_a_time_out_of_acquire_ends_the_callers_search(place: Place) -> None:
    async with place.create_pool(0, 1, of=place.reader) as pool:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await place.take(pool)
        if place.driver != "psycopg":  # its pool goes on by itself
            await place.left(place.reader, 0)
            assert all("connect" not in task.get_name() for task in asyncio.all_tasks())


async def test_without_a_limit_all_callers_end_together(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "LONGEST_SEARCH", 0.5)
    callers = [asyncio.ensure_future(place.connect(of=place.reader, **place.limit(None))) for _ in range(CALLERS)]
    done, _ = await asyncio.wait(callers, return_when=asyncio.FIRST_COMPLETED)
    assert all(isinstance(caller.exception(), WrongServerError) for caller in done)
    # Each has had its time. It does not wait for another turn of its own.
    _, late = await asyncio.wait(callers, timeout=2 * search.PAUSE)
    assert len(late) == 0
    for caller in callers:
        with pytest.raises(WrongServerError, match="is a reader, not a writer") as caught:
            await caller
        assert "It was tried" in caught.value.__notes__[0]


async def test_a_later_caller_does_not_try_before_the_pause_is_over(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connect timeout that is shorter than the pause does not turn it off, and the reason is known."""
    monkeypatch.setattr(search, "PAUSE", 60)
    for _ in range(2):
        with pytest.raises(TIMED_OUT[place.driver]) as caught:
            await place.connect(of=place.reader, **place.limit(2))
        (note,) = caught.value.__notes__
        assert "is a reader, not a writer" in note
    assert note.endswith(", as an earlier attempt found")
    assert len(place.reader.logins) == 1


async def test_what_a_search_found_is_forgotten_after_the_pause(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later error has another cause."""
    monkeypatch.setattr(search, "PAUSE", 0.1)
    caller = asyncio.ensure_future(place.connect(of=place.reader))
    await until(lambda: place.manager.statistics().wrong_servers)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    await asyncio.sleep(0.2)
    place.reader.faults.reject_next(2)
    with pytest.raises(REJECTED) as caught:
        await place.connect(of=place.reader)
    assert [note for note in caught.value.__notes__ if "is a reader" in note] == []


async def test_each_event_loop_has_a_search_of_its_own(place: Place) -> None:
    await place.demote()
    failures: list[BaseException] = []

    async def write() -> None:
        async with place.create_pool(0, 1, **place.limit(60)) as pool, place.acquire(pool) as connection:
            await place.write(connection)

    def in_a_thread() -> None:
        try:
            asyncio.run(write())
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    thread = threading.Thread(target=in_a_thread)
    thread.start()
    here = asyncio.create_task(write())
    await until(lambda: place.manager.statistics().wrong_servers >= 4)
    await place.promote()
    await here
    await asyncio.to_thread(thread.join)
    assert failures == []
