"""``PluginManager.aclose()`` stops everything, whatever one of its plugins does, and a closed manager opens nothing."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aws_iam_async import (
    AwsIamError,
    ConfigurationError,
    ConnectNext,
    ConnectRequest,
    Credentials,
    PluginManager,
    RdsTokenProvider,
)
from benchmarks import stubbed_driver

HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
CLOSED = "this PluginManager is closed"


class Passing:
    """A plugin that does not change connection attempts, and closes with or without an error."""

    def __init__(self, name: str, closed: list[str], error: BaseException | None = None) -> None:
        self.name, self.closed, self.error = name, closed, error

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        return await call_next(request)

    async def aclose(self) -> None:
        self.closed.append(self.name)
        if self.error is not None:
            raise self.error


class Hanging(Passing):
    async def aclose(self) -> None:
        self.closed.append(self.name)
        await asyncio.Event().wait()


class NotAsync(Passing):
    def aclose(self) -> None:  # type: ignore[override]  # wrong on purpose
        self.closed.append(self.name)


class ShortLived:
    """Credentials that the timer renews each second."""

    def __init__(self) -> None:
        self.reads = 0

    async def load(self) -> Credentials:
        self.reads += 1
        return Credentials("ASIAEXAMPLE", "x", "y", datetime.now(UTC) + timedelta(seconds=1))


async def connected(source: ShortLived, *plugins: Any) -> PluginManager:
    manager = PluginManager([*plugins, "iam"], refresh="background", credentials=source.load)
    with stubbed_driver.stubbed():
        await manager.connect(**stubbed_driver.KEYWORDS)
    assert manager.statistics().live_tokens == 1
    return manager


async def assert_stopped(manager: PluginManager, source: ShortLived) -> None:
    assert manager.statistics().live_tokens == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
    reads = source.reads
    await asyncio.sleep(1.5)
    assert source.reads == reads


async def test_every_plugin_closes_and_the_first_error_reaches_the_caller() -> None:
    source, closed = ShortLived(), list[str]()
    failing = Passing("a", closed, LookupError("first")), Passing("b", closed, OSError("second")), Passing("c", closed)
    manager = await connected(source, *failing)
    with pytest.raises(LookupError, match="first") as raised:
        await manager.aclose()
    assert closed == ["a", "b", "c"]
    assert "OSError: second" in "".join(raised.value.__notes__)
    await assert_stopped(manager, source)


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyError("x"), KeyboardInterrupt()])
async def test_whatever_a_plugin_raises(error: BaseException) -> None:
    source, closed = ShortLived(), list[str]()
    manager = await connected(source, Passing("a", closed, error), Passing("b", closed))
    with pytest.raises(type(error)):
        await manager.aclose()
    assert closed == ["a", "b"]
    await assert_stopped(manager, source)


async def test_a_plugin_whose_aclose_is_not_async() -> None:
    source, closed = ShortLived(), list[str]()
    manager = await connected(source, NotAsync("a", closed), Passing("b", closed))
    with pytest.raises(ConfigurationError, match=r"NotAsync\.aclose\(\) is not async"):
        await manager.aclose()
    assert closed == ["a", "b"]
    await assert_stopped(manager, source)


async def test_plugins_that_hang_until_they_are_cancelled() -> None:
    source, closed = ShortLived(), list[str]()
    manager = await connected(source, Hanging("a", closed), Passing("b", closed, OSError("later")))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await manager.aclose()
    assert closed == ["a", "b"]
    await assert_stopped(manager, source)


async def test_the_timer_does_not_go_on_while_a_plugin_closes() -> None:
    source, closed = ShortLived(), list[str]()
    manager = await connected(source, Hanging("a", closed))
    closing = asyncio.create_task(manager.aclose())
    while not closed:  # noqa: ASYNC110 - the plugin sets no event
        await asyncio.sleep(0)
    reads = source.reads
    await asyncio.sleep(1.5)
    assert source.reads == reads
    closing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await closing


@pytest.mark.parametrize(
    ("driver", "sizes"), [("asyncpg", {"min_size": 0, "max_size": 1}), ("aiomysql", {"minsize": 0, "maxsize": 1})]
)
async def test_a_closed_manager_makes_no_pool_however_small(driver: str, sizes: dict[str, int]) -> None:
    checked: list[ConnectRequest] = []

    class Checking(Passing):
        async def check(self, request: ConnectRequest) -> None:
            checked.append(request)

    manager = PluginManager([Checking("a", [])])
    await manager.aclose()
    options: dict[str, Any] = {"driver": driver, "host": "127.0.0.1", "port": 1, "user": "app", **sizes}
    with pytest.raises(AwsIamError, match=CLOSED):
        await manager.create_pool(**options)
    assert checked == []


async def test_a_pool_of_a_closed_manager_makes_no_connection() -> None:
    manager = PluginManager("")
    pool = await manager.create_pool(driver="asyncpg", host="127.0.0.1", port=1, user="app", min_size=0)
    await manager.aclose()
    with pytest.raises(AwsIamError, match=CLOSED):
        await pool.acquire()
    await pool.close()


class VanishingLoop(asyncio.SelectorEventLoop):
    """A loop that closes between the check whether it is closed and the next callback."""

    vanishes = False

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any, **context: Any) -> asyncio.Handle:  # type: ignore[override]  # any will do
        if self.vanishes:
            self.close()
        return super().call_soon_threadsafe(callback, *args, **context)


def in_a_thread(function: Callable[[], None]) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    if errors:
        raise errors[0]


async def test_closing_though_another_loop_closes_at_the_same_time() -> None:
    source = ShortLived()
    provider = RdsTokenProvider(refresh="background", credentials=source.load)
    elsewhere = VanishingLoop()

    async def ask() -> None:
        await provider.get_token(host=HOST, port=5432, user="app")

    in_a_thread(lambda: elsewhere.run_until_complete(ask()))
    await ask()
    elsewhere.vanishes = True
    await provider.aclose()
    assert provider.statistics().live_tokens == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
    reads = source.reads
    await asyncio.sleep(1.5)
    assert source.reads == reads
