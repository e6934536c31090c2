"""What a caller has in its context variables, a web request for example, is released with the caller."""

import asyncio
import contextlib
import contextvars
import gc
import weakref
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from aws_iam_async import Credentials, CredentialsError
from aws_iam_async.tokens.service import TokenService
from benchmarks.virtual_loop import VirtualLoop
from tests.tokens.conftest import START
from tests.tokens.keys import make_key


class Request:
    """Large in a real web server."""


request: contextvars.ContextVar[Request | None] = contextvars.ContextVar("request", default=None)
LIMITS = 61  # seconds, in which asyncio forgets the time limit of a read that has ended


def wall_clock() -> float:
    return START + asyncio.get_running_loop().time()


class Source:
    def __init__(self) -> None:
        self.works = True
        self.seen: list[Request | None] = []
        self.gate: asyncio.Event | None = None

    async def load(self) -> Credentials:
        self.seen.append(request.get())
        if self.gate is not None:
            await self.gate.wait()
        if not self.works:
            raise OSError("endpoint is down")
        return Credentials("ASIA", "x", "y", datetime.fromtimestamp(wall_clock() + 3600, UTC))


async def handle(service: TokenService, source: Source) -> weakref.ref[Request]:
    """Ask for a token as a web request does: in a task, and with the request in a context variable."""

    async def ask() -> weakref.ref[Request]:
        mine = Request()
        request.set(mine)
        with contextlib.suppress(CredentialsError):
            await service.get(make_key(load=source.load))
        return weakref.ref(mine)

    reference = await asyncio.create_task(ask())
    if source.gate is None:
        source.seen.clear()
    return reference


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


async def assert_released(reference: weakref.ref[Request]) -> None:
    await asyncio.sleep(LIMITS)
    gc.collect()
    assert reference() is None


refreshes = pytest.mark.parametrize("refresh", ["on_use", "background"])


@refreshes
def test_of_the_first_caller(refresh: Any) -> None:
    async def main() -> None:
        service, source = TokenService(refresh=refresh, clock=wall_clock), Source()
        await assert_released(await handle(service, source))
        await service.aclose()

    run(main)


@refreshes
def test_of_a_caller_whose_read_fails(refresh: Any) -> None:
    async def main() -> None:
        service, source = TokenService(refresh=refresh, clock=wall_clock), Source()
        source.works = False
        await assert_released(await handle(service, source))
        await service.aclose()

    run(main)


def test_of_a_caller_that_comes_when_credentials_are_to_be_renewed() -> None:
    async def main() -> None:
        service, source = TokenService(clock=wall_clock), Source()
        await handle(service, source)
        await asyncio.sleep(3000)
        reads = service.statistics().credentials_loads
        reference = await handle(service, source)
        await asyncio.sleep(1)
        assert service.statistics().credentials_loads == reads + 1
        await assert_released(reference)
        await service.aclose()

    run(main)


def test_of_such_a_caller_while_the_renewal_goes_on() -> None:
    async def main() -> None:
        service, source = TokenService(clock=wall_clock), Source()
        await handle(service, source)
        await asyncio.sleep(3000)
        source.gate = asyncio.Event()
        reference = await handle(service, source)
        await asyncio.sleep(1)
        gc.collect()
        assert reference() is None
        assert source.seen == [None]  # a renewal sees the same, independently of the caller that starts it
        await service.aclose()

    run(main)


def test_the_timer_sees_nothing_of_it() -> None:
    async def main() -> None:
        service, source = TokenService(refresh="background", clock=wall_clock), Source()
        await handle(service, source)
        await asyncio.sleep(3 * 3600)
        assert source.seen
        assert set(source.seen) == {None}
        await service.aclose()

    run(main)
