"""A source that goes on when it is cancelled holds up neither its callers nor ``aclose()``."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from aws_iam_async import Credentials, CredentialsError
from aws_iam_async.tokens.service import Refresh, TokenService
from benchmarks.virtual_loop import VirtualLoop
from tests.tokens.conftest import START
from tests.tokens.keys import make_key


def wall_clock() -> float:
    return START + asyncio.get_running_loop().time()


class Stubborn:
    """Works until ``stuck``; then it goes on for ever, however often it is cancelled.

    Attributes:
        reads: Reads that have begun.
        cancelled: How often they were cancelled.
    """

    def __init__(self, *, stuck: bool = True) -> None:
        self.stuck = stuck
        self.reads = self.cancelled = 0
        self._over = asyncio.Event()

    async def load(self) -> Credentials:
        self.reads += 1
        while self.stuck and not self._over.is_set():
            try:
                await self._over.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
        return Credentials("ASIA", "x", "y", datetime.fromtimestamp(wall_clock() + 3600, UTC))

    def end(self) -> None:
        self._over.set()


def run(main: Callable[[Stubborn], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        source = Stubborn()
        try:
            await main(source)
        finally:
            source.end()  # or the loop could not end either
        await asyncio.sleep(0.1)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(whole())


def elapsed() -> float:
    return asyncio.get_running_loop().time()


refreshes = pytest.mark.parametrize("refresh", ["on_use", "background"])


@refreshes
def test_its_callers_get_an_error_in_time(refresh: Refresh) -> None:
    async def main(source: Stubborn) -> None:
        service = TokenService(refresh=refresh, clock=wall_clock)
        asking = (service.get(make_key(load=source.load)) for _ in range(3))
        errors = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(error) for error in errors] == [CredentialsError] * 3
        assert "did not answer within 60 s" in str(errors[0])
        assert elapsed() < 70
        await service.aclose()

    run(main)


@refreshes
def test_a_caller_that_is_cancelled_leaves_at_once(refresh: Refresh) -> None:
    async def main(source: Stubborn) -> None:
        service = TokenService(refresh=refresh, clock=wall_clock)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await service.get(make_key(load=source.load))
        assert elapsed() < 4
        await service.aclose()
        assert elapsed() < 15
        assert source.cancelled == 1

    run(main)


@pytest.mark.parametrize("seconds", [0.0, 10.0, 3000.0])
def test_closing_during_its_renewal(seconds: float) -> None:
    async def main(source: Stubborn) -> None:
        source.stuck = False
        service = TokenService(refresh="background", clock=wall_clock, random=lambda: 0.5)
        await service.get(make_key(load=source.load))
        source.stuck = True
        await asyncio.sleep(2900 + seconds)
        assert source.reads > 1
        before = elapsed()
        await service.aclose()
        assert elapsed() - before < 10
        reads = source.reads
        await asyncio.sleep(3600)
        assert source.reads == reads

    run(main)


def test_it_is_read_again_once_it_works() -> None:
    async def main(source: Stubborn) -> None:
        service = TokenService(refresh="background", clock=wall_clock, random=lambda: 0.5)
        with pytest.raises(CredentialsError):
            await service.get(make_key(load=source.load))
        source.stuck = False
        token, _ = await service.get(make_key(load=source.load))
        assert token.access_key_id == "ASIA"
        await service.aclose()

    run(main)


@refreshes
def test_one_that_fails_when_it_is_cancelled(refresh: Refresh) -> None:
    """The error of an abandoned read has no caller, and asyncio does not report it as never retrieved."""
    problems: list[object] = []

    async def load() -> Credentials:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OSError("closed while it was read") from None
        raise AssertionError

    async def main(_: Stubborn) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        service = TokenService(refresh=refresh, clock=wall_clock)
        key = make_key(load=load)
        with pytest.raises(CredentialsError, match="did not answer"):
            await service.get(key)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await service.get(key)
        await service.aclose()
        await asyncio.sleep(0.1)

    run(main)
    assert problems == []


def test_a_source_that_cleans_up_is_waited_for() -> None:
    async def main(_: Stubborn) -> None:
        cleaned = False

        async def load() -> Credentials:
            nonlocal cleaned
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(2)
                cleaned = True
            raise AssertionError

        service = TokenService(clock=wall_clock)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await service.get(make_key(load=load))
        assert not cleaned
        await service.aclose()
        assert cleaned

    run(main)
