"""The cache that plugins for secret stores are written with."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from aws_iam_async import AwsIamError, ConfigurationError, Reading, RefreshAheadCache

START = 1_800_000_000.0


class RefusedError(Exception):
    """What a server answers to a wrong password."""


class Store:
    """A secret store, with a clock that the test moves."""

    def __init__(self) -> None:
        self.now = START
        self.life = 100.0  # seconds until a value is stale
        self.expires: float | None = None
        self.value = "first"
        self.reads = 0
        self.error: Exception | None = None
        self.delay = 0.0
        self.cache: RefreshAheadCache[str, str] = RefreshAheadCache(self.read, clock=lambda: self.now)

    async def read(self, key: str) -> Reading[str]:
        self.reads += 1
        await asyncio.sleep(self.delay)
        if self.error is not None:
            raise self.error
        return Reading(f"{key}: {self.value}", expires=self.expires, stale=self.now + self.life)


@pytest.fixture
def store() -> Store:
    return Store()


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


async def test_a_burst_is_one_read_for_each_key(store: Store) -> None:
    values = await asyncio.gather(*(store.cache.get(key) for key in ["a", "b"] * 50))
    assert values == ["a: first", "b: first"] * 50
    assert store.reads == 2


async def test_it_is_renewed_ahead_and_no_caller_waits(store: Store) -> None:
    await store.cache.get("a")
    store.now += 90
    store.value = "second"
    assert await store.cache.get("a") == "a: first"
    await settle()
    assert await store.cache.get("a") == "a: second"
    assert store.reads == 2


async def test_a_stale_value_is_served_while_the_store_fails(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    await store.cache.get("a")
    store.error = AwsIamError("the store is down")
    for _ in range(20):
        store.now += 50_000
        assert await store.cache.get("a") == "a: first"
        await settle()
    (warning,) = caplog.records  # once for each outage
    assert "'a' could not be read again" in warning.getMessage()
    assert "the store is down" in warning.getMessage()
    store.error, store.value = None, "second"
    store.now += 700
    await store.cache.get("a")
    await settle()
    assert await store.cache.get("a") == "a: second"


async def test_no_caller_waits_while_a_stale_value_is_renewed(store: Store) -> None:
    await store.cache.get("a")
    store.now += 200
    store.value, store.delay = "second", 0.5
    assert await asyncio.gather(*(store.cache.get("a") for _ in range(10))) == ["a: first"] * 10
    await asyncio.sleep(1)
    assert await store.cache.get("a") == "a: second"
    assert store.reads == 2


async def test_an_expired_value_is_not_served(store: Store) -> None:
    store.expires = START + 200
    await store.cache.get("a")
    store.error = AwsIamError("the store is down")
    store.now += 199
    assert await store.cache.get("a") == "a: first"
    store.now += 1
    with pytest.raises(AwsIamError, match="the store is down"):
        await store.cache.get("a")


async def test_another_error_is_named_by_its_class_only(store: Store) -> None:
    store.error = ValueError("hunter2")
    with pytest.raises(AwsIamError) as info:
        await store.cache.get("a")
    assert "'a' could not be read: ValueError" in str(info.value)
    assert "hunter2" not in str(info.value)
    failures = await asyncio.gather(*(store.cache.get("a") for _ in range(3)), return_exceptions=True)
    assert len(set(map(id, failures))) == 3


class Answer(NamedTuple):
    value: str


class Server:
    """A server that accepts one password."""

    def __init__(self, *accepted: str) -> None:
        self.accepted = set(accepted)
        self.dialled: list[str] = []

    async def dial(self, value: str) -> Answer:
        self.dialled.append(value)
        await asyncio.sleep(0)
        if value not in self.accepted:
            raise RefusedError
        return Answer(value)

    async def log_in(self, cache: RefreshAheadCache[str, str]) -> Answer:
        return await cache.log_in("a", self.dial, is_refused)


is_refused: Callable[[BaseException], bool] = lambda error: isinstance(error, RefusedError)  # noqa: E731 - a value


async def test_a_rejected_login_is_repeated_once_with_a_new_value(store: Store) -> None:
    server = Server("a: second")
    await store.cache.get("a")
    store.value = "second"
    answers = await asyncio.gather(*(server.log_in(store.cache) for _ in range(100)))
    assert set(answers) == {Answer("a: second")}
    assert store.reads == 2


async def test_a_value_that_was_just_read_is_not_tried_twice(store: Store) -> None:
    server = Server()
    with pytest.raises(RefusedError):
        await server.log_in(store.cache)
    assert (server.dialled, store.reads) == (["a: first"], 1)


async def test_a_wrong_value_is_read_again_at_most_every_ten_seconds(store: Store) -> None:
    server = Server()
    await store.cache.get("a")
    for _ in range(5):
        with pytest.raises(RefusedError):
            await server.log_in(store.cache)
        store.now += 1
    assert (store.reads, len(server.dialled)) == (2, 6)  # the same value is not sent twice for one login
    store.now += 10
    with pytest.raises(RefusedError):
        await server.log_in(store.cache)
    assert store.reads == 3


async def test_a_login_is_repeated_only_once_although_others_go_on_to_read(store: Store) -> None:
    server, dialled = Server(), 0

    async def dial_slowly(_value: str) -> Answer:
        nonlocal dialled
        dialled += 1
        assert dialled <= 2
        store.now += 11
        with pytest.raises(RefusedError):
            await server.log_in(store.cache)
        raise RefusedError

    await store.cache.get("a")
    with pytest.raises(RefusedError):
        await store.cache.log_in("a", dial_slowly, is_refused)
    assert (dialled, store.reads) == (2, 3)


async def test_a_rejected_value_is_read_again_when_many_others_have_come(store: Store) -> None:
    server = Server("a: second")
    dial = server.dial

    async def dial_among_others(value: str) -> Answer:
        for key in range(300):
            await store.cache.get(str(key))
        return await dial(value)

    server.dial = dial_among_others  # type: ignore[method-assign]
    await store.cache.get("a")
    store.value = "second"
    assert await server.log_in(store.cache) == Answer("a: second")


async def test_any_number_of_keys_are_read_once_each(store: Store) -> None:
    store.delay = 0.05
    await asyncio.gather(*(store.cache.get(str(key)) for key in [*range(600)] * 3))
    assert store.reads == 600


@pytest.mark.parametrize("life", [0, 100])
async def test_a_value_from_before_the_clock_was_set_back_is_renewed(store: Store, life: float) -> None:
    store.life = life
    await store.cache.get("a")
    store.now, store.value = START - 3600, "second"
    await store.cache.get("a")
    await settle()
    assert await store.cache.get("a") == "a: second"
    store.error = AwsIamError("the store is down")
    store.now -= 3600
    assert await store.cache.get("a") == "a: second"


async def test_a_login_that_is_rejected_late_is_repeated_with_what_others_have_read(store: Store) -> None:
    server = Server("a: second")
    late, rejected = asyncio.Event(), asyncio.Event()

    async def dial_late(value: str) -> Answer:
        if not late.is_set():
            late.set()
            await rejected.wait()
        return await server.dial(value)

    await store.cache.get("a")
    login = asyncio.create_task(store.cache.log_in("a", dial_late, is_refused))
    await late.wait()
    store.value = "second"
    assert await server.log_in(store.cache) == Answer("a: second")
    rejected.set()
    assert await login == Answer("a: second")
    assert store.reads == 2


async def test_another_error_of_a_login_is_not_repeated(store: Store) -> None:
    async def dial(_value: str) -> None:
        raise ConnectionError

    await store.cache.get("a")
    with pytest.raises(ConnectionError):
        await store.cache.log_in("a", dial, is_refused)
    assert store.reads == 1


async def test_a_blocking_read_goes_on_when_its_callers_leave() -> None:
    started, runs = asyncio.Event(), 0
    loop = asyncio.get_running_loop()
    go_on = asyncio.Event()

    def fetch() -> str:
        nonlocal runs
        runs += 1
        loop.call_soon_threadsafe(started.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(30)
        return "value"

    async def read(key: str) -> Reading[str]:
        return Reading(await cache.run_in_thread(key, fetch))

    cache: RefreshAheadCache[str, str] = RefreshAheadCache(read)
    caller = asyncio.create_task(cache.get("a"))
    await started.wait()
    caller.cancel()
    await asyncio.wait([caller])
    go_on.set()
    assert await cache.get("a") == "value"
    assert runs == 1


class Threads:
    """Blocking reads, of which each is numbered. They wait until they may go on."""

    def __init__(self) -> None:
        self.now, self.runs = START, 0
        self.go_on, self.ended = threading.Event(), threading.Event()
        self.cache: RefreshAheadCache[str, str] = RefreshAheadCache(self.read, clock=lambda: self.now)

    async def read(self, key: str) -> Reading[str]:
        return Reading(await self.cache.run_in_thread(key, self.fetch))

    def fetch(self) -> str:
        self.runs += 1
        number = self.runs
        self.go_on.wait(30)
        self.ended.set()
        return f"value {number}"

    async def leave(self, caller: asyncio.Task[Any], runs: int) -> None:
        """Cancel a caller when its thread runs, and let the thread end."""
        async with asyncio.timeout(30):
            while self.runs < runs:  # noqa: ASYNC110 - a thread has no event here
                await asyncio.sleep(0.01)
        caller.cancel()
        await asyncio.wait([caller])
        self.go_on.set()
        await asyncio.to_thread(self.ended.wait, 30)
        await asyncio.sleep(0.1)


async def test_what_a_thread_has_read_a_minute_ago_is_not_used() -> None:
    threads = Threads()
    await threads.leave(asyncio.create_task(threads.cache.get("a")), 1)
    threads.now += 60
    assert await threads.cache.get("a") == "value 2"


async def test_what_a_thread_has_read_before_another_rejection_is_not_used() -> None:
    threads = Threads()
    server, late, rejected = Server("value 3"), asyncio.Event(), asyncio.Event()

    async def dial_late(value: str) -> Answer:
        if not late.is_set():
            late.set()
            await rejected.wait()
        return await server.dial(value)

    threads.go_on.set()
    await threads.cache.get("a")
    threads.go_on.clear()
    threads.ended.clear()
    login = asyncio.create_task(threads.cache.log_in("a", dial_late, is_refused))
    await late.wait()
    await threads.leave(asyncio.create_task(server.log_in(threads.cache)), 2)
    threads.now += 11
    rejected.set()
    assert await login == Answer("value 3")


async def test_a_read_that_has_begun_ends_in_a_closed_cache() -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def read(key: str) -> Reading[str]:
        started.set()
        await go_on.wait()
        return Reading(await cache.run_in_thread(key, lambda: "value"))

    cache: RefreshAheadCache[str, str] = RefreshAheadCache(read)
    caller = asyncio.create_task(cache.get("a"))
    await started.wait()
    await cache.aclose()
    go_on.set()
    assert await caller == "value"


def test_each_loop_has_values_of_its_own(store: Store) -> None:
    async def get_and_leave() -> str:
        value = await store.cache.get("a")
        store.now += 90
        await store.cache.get("a")  # with a renewal in the background
        return value

    assert [asyncio.run(get_and_leave()) for _ in range(2)] == ["a: first"] * 2


async def test_a_closed_cache_says_so(store: Store) -> None:
    await store.cache.get("a")
    await store.cache.aclose()
    with pytest.raises(AwsIamError, match="closed"):
        await store.cache.get("a")
    with pytest.raises(AwsIamError, match="closed"):
        await Server().log_in(store.cache)


async def test_a_caller_that_waits_while_it_is_closed_still_gets_the_value() -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def read(key: str) -> Reading[str]:
        asked.set()
        await answer.wait()
        return Reading(await cache.run_in_thread(key, lambda: "value"))

    cache: RefreshAheadCache[str, str] = RefreshAheadCache(read)
    caller = asyncio.create_task(cache.get("a"))
    await asked.wait()
    await cache.aclose()
    answer.set()
    assert await caller == "value"


async def test_a_value_that_has_expired_when_it_is_read_is_an_error() -> None:
    """Reading it again at once would ask the store thousands of times a second."""
    reads = 0

    async def read(_key: str) -> Reading[str]:
        nonlocal reads
        reads += 1
        return Reading("old", expires=time.time() - 1)

    cache: RefreshAheadCache[str, str] = RefreshAheadCache(read)
    async with asyncio.timeout(5):
        with pytest.raises(AwsIamError, match="'shop' was read, but the value has expired"):
            await cache.get("shop")
    assert reads == 1
    await cache.aclose()


def test_what_cannot_be_called_is_refused() -> None:
    value: Any = "the value itself"
    with pytest.raises(ConfigurationError, match=r"^read must be an async function, not str$"):
        RefreshAheadCache(value)
