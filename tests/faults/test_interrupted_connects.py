"""A connection attempt or a pool that is cancelled, times out or is cut off at any point leaves nothing behind."""

import asyncio
import math
from collections.abc import Callable, Generator
from typing import Any

import pytest

from aws_iam_async import ConnectNext, ConnectRequest, PluginManager
from aws_iam_async.testing import Stage
from tests.faults.leaks import Leaks
from tests.faults.site import Site

SIZE = 3
MOST_AWAITS = 200


def connect(place: Site, manager: PluginManager, **options: Any) -> Any:
    return place.connect(manager, **options)


def create_pool(place: Site, manager: PluginManager, **options: Any) -> Any:
    return place.create_pool(manager, SIZE, SIZE, **options)


class CancelledAt:
    """Awaits a coroutine in a task that is cancelled at the coroutine's nth wait.

    Args:
        inner: The coroutine.
        nth: Which wait, from 1.
        late: Cancel only when what it waits for is done, and before it has learnt so.
    """

    def __init__(self, inner: Any, nth: int, *, late: bool) -> None:
        self._inner = inner
        self.left = nth
        self._late = late

    def __await__(self) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None
        value, error = None, None
        while True:
            try:
                waiting = self._inner.send(value) if error is None else self._inner.throw(error)
            except StopIteration as done:
                return done.value
            self.left -= 1
            if self.left == 0 and self._late and waiting is not None:
                waiting.add_done_callback(lambda _: task.cancel())
            elif self.left == 0:
                task.cancel()
            value, error = None, None
            try:
                value = yield waiting
            except BaseException as thrown:  # noqa: BLE001 - handed on whole
                error = thrown


async def close(place: Site, opened: Any) -> None:
    if place.driver == "aiomysql" and hasattr(opened, "acquire"):
        opened.close()
        await opened.wait_closed()
    else:
        await place.close(opened)


@pytest.mark.parametrize("late", [False, True], ids=["early", "late"])
@pytest.mark.parametrize("opening", [connect, create_pool])
async def test_cancelled_at_every_await(
    place: Site, manager: PluginManager, leaks: Leaks, opening: Callable[..., Any], *, late: bool
) -> None:
    for nth in range(1, MOST_AWAITS):
        wait = CancelledAt(opening(place, manager), nth, late=late)

        async def open_it(wait: CancelledAt = wait) -> Any:
            return await wait

        task = asyncio.create_task(open_it())
        try:
            opened = await task
        except asyncio.CancelledError:
            await leaks.none()
            continue
        await close(place, opened)
        await leaks.none()
        if wait.left > 0:
            # These pools open their first connections in tasks of their own: to their maker they are one await.
            assert nth > (1 if place.driver != "asyncpg" and opening is create_pool else SIZE)
            return
    pytest.fail("it never came to its end")


@pytest.mark.parametrize("opening", [connect, create_pool])
async def test_cancelled_after_any_number_of_steps_of_the_loop(
    place: Site, manager: PluginManager, leaks: Leaks, opening: Callable[..., Any]
) -> None:
    steps, cancelled, finished = 0, 0, False
    while not finished:  # the number of steps varies; pytest-timeout ends an endless loop
        task = asyncio.ensure_future(opening(place, manager))
        for _ in range(steps):
            await asyncio.sleep(0)
            if task.done():
                break
        finished = task.done()
        task.cancel()
        try:
            opened = await task
        except asyncio.CancelledError:
            cancelled += 1
        else:
            await close(place, opened)
        await leaks.none()
        steps += 1 + steps // 5
    assert cancelled > 5


class SecondFails:
    """A plugin that lets the first connect through, and fails the second; the others never end."""

    def __init__(self) -> None:
        self.begun = 0

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        self.begun += 1
        if self.begun == 1:
            return await call_next(request)
        if self.begun > 2:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        raise ConnectionRefusedError("down")


async def test_one_of_the_first_connections_fails(place: Site, leaks: Leaks) -> None:
    async with PluginManager(plugins=[SecondFails(), "iam"]) as manager:
        tasks = asyncio.all_tasks()
        with pytest.raises(ConnectionRefusedError):
            await create_pool(place, manager)
        assert asyncio.all_tasks() == tasks
        await leaks.none()


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("opening", [connect, create_pool])
async def test_timed_out_at_every_stage(
    place: Site, manager: PluginManager, leaks: Leaks, opening: Callable[..., Any], stage: Stage
) -> None:
    place.emulator.faults.delay(stage, math.inf)
    with pytest.raises(place.timeout_error) as caught:
        await opening(place, manager, **place.limit(0.3))
    if place.driver == "aiomysql":
        assert caught.value.args[0] == 2003
    await leaks.none()


@pytest.mark.parametrize("size", [0, 1, 500, 1200])
async def test_timed_out_in_a_stalled_network(place: Site, manager: PluginManager, leaks: Leaks, size: int) -> None:
    """Not even a goodbye is answered."""
    place.proxy.to_client.stall_after = size
    with pytest.raises(place.timeout_error):
        await place.connect(manager, **place.limit(0.3))
    await leaks.none()


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("opening", [connect, create_pool])
async def test_cut_at_every_stage(
    place: Site, manager: PluginManager, leaks: Leaks, opening: Callable[..., Any], stage: Stage
) -> None:
    place.emulator.faults.cut(stage, times=SIZE)
    with pytest.raises(place.connect_errors):
        await opening(place, manager, **place.limit(10))
    await leaks.none()


@pytest.mark.parametrize("way", ["to_client", "to_server"])
async def test_cut_after_any_number_of_bytes(place: Site, manager: PluginManager, leaks: Leaks, way: str) -> None:
    size, failed = 0, 0
    while True:
        place.proxy.heal()
        getattr(place.proxy, way).cut_after = size
        try:
            connection = await place.connect(manager, **place.limit(10))
        except place.connect_errors:
            failed += 1
        else:
            place.proxy.heal()
            await place.close(connection)
            assert failed > 10
            return
        finally:
            await leaks.none()
        size += 1 + size // 5


@pytest.mark.parametrize("way", ["to_client", "to_server"])
async def test_a_login_in_single_bytes(place: Site, manager: PluginManager, leaks: Leaks, way: str) -> None:
    broken = getattr(place.proxy, way)
    broken.largest = 1
    passed = broken.passed
    async with place.connect(manager) as connection:
        assert await place.execute(connection, "SELECT 1") == [(1,)]
        assert broken.passed > passed + 500
    await leaks.none()
