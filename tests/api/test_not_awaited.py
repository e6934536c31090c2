"""What ``connect()`` and ``create_pool()`` return: before it is opened, and in place of what it opened."""

import asyncio
import contextlib
import inspect
from typing import Any

import pytest

import aws_iam_async
from aws_iam_async import AwsIamError, ConfigurationError, ConnectNext, ConnectRequest


@pytest.mark.parametrize(
    ("opening", "name"), [(aws_iam_async.connect, "execute"), (aws_iam_async.create_pool, "acquire")]
)
def test_a_forgotten_await_is_named(opening: Any, name: str) -> None:
    pool = opening("postgresql://app@db/shop")
    with pytest.raises(
        AttributeError, match=f"^{name}: not opened yet; write 'await' before it, or use it with 'async with'$"
    ):
        getattr(pool, name)
    pool.close()


def test_a_forgotten_async_is_named() -> None:
    """And Python does not warn that a coroutine was never awaited. Warnings are errors in these tests."""
    with (
        pytest.raises(TypeError, match="use 'async with'"),
        aws_iam_async.connect("postgresql://app@db/shop"),  # type: ignore[attr-defined]  # it is no context manager
    ):
        pass


class Connection:
    """A connection without a server."""

    server = "db"
    closed = False

    async def close(self) -> None:
        self.closed = True


class Given:
    """A plugin that returns a connection of its own."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def connect(self, _request: ConnectRequest, _call_next: ConnectNext) -> Any:
        return self.connection


async def test_once_opened_it_stands_for_what_it_opened() -> None:
    connection = Connection()
    opening: Any = aws_iam_async.connect("postgresql://app@db/shop", plugins=[Given(connection)])
    with pytest.raises(AttributeError, match="server: not opened yet"):
        _ = opening.server
    assert await opening is connection
    assert await opening is connection
    assert opening.server == "db"
    with pytest.raises(AttributeError, match="'Connection' object has no attribute 'client'"):
        _ = opening.client


async def test_once_opened_its_close_is_that_of_what_it_opened() -> None:
    connection = Connection()
    opening: Any = aws_iam_async.connect("postgresql://app@db/shop", plugins=[Given(connection)])
    await opening
    await opening.close()
    assert connection.closed


class Slow:
    """A plugin that opens when it is let, and counts."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.let = asyncio.Event()

    async def connect(self, _request: ConnectRequest, _call_next: ConnectNext) -> Any:
        await self.let.wait()
        self.connections.append(Connection())
        return self.connections[-1]


async def test_several_tasks_may_await_it_at_once() -> None:
    slow = Slow()
    opening: Any = aws_iam_async.connect("postgresql://app@db/shop", plugins=[slow])

    async def use() -> Any:
        return await opening

    tasks = [asyncio.create_task(use()) for _ in range(3)]
    await asyncio.sleep(0.01)
    slow.let.set()
    assert [await task for task in tasks] == slow.connections * 3
    assert len(slow.connections) == 1


async def test_one_that_failed_or_was_cancelled_says_so_when_it_is_awaited_again() -> None:
    slow = Slow()
    cancelled: Any = aws_iam_async.connect("postgresql://app@db/shop", plugins=[slow])
    failed: Any = aws_iam_async.connect("postgresql://app@db/shop?iam_regoin=x")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await cancelled
    with pytest.raises(ConfigurationError, match="iam_region"):
        await failed
    for opening in cancelled, failed:
        with pytest.raises(AwsIamError, match="failed or was cancelled before: call connect"):
            await opening


async def test_it_is_a_coroutine_all_the_same() -> None:
    opening = aws_iam_async.connect("postgresql://app@db/shop?iam_regoin=x")
    assert asyncio.iscoroutine(opening)
    assert inspect.isawaitable(opening)
    task = asyncio.create_task(opening)
    assert "Opening" in repr(task)
    with pytest.raises(ConfigurationError, match="iam_region"):
        await task


async def test_opened_in_a_task_that_caught_an_interruption() -> None:
    """The task that drives it throws into it, and it goes on."""

    class Slow(Given):
        async def connect(self, _request: ConnectRequest, _call_next: ConnectNext) -> Any:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
            return self.connection

    connection = Connection()
    opening: Any = aws_iam_async.connect("postgresql://app@db/shop", plugins=[Slow(connection)])
    assert await asyncio.create_task(opening) is connection
    assert await opening is connection
