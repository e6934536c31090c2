"""Waiters cancelled at every step of a read: the first, the last, some or all of them."""

import asyncio
from collections.abc import Iterator
from itertools import product

import pytest

from aws_iam_async import Credentials, Token
from aws_iam_async.tokens.service import TokenService
from tests.tokens.keys import make_key
from tests.tokens.stepped_loop import SteppedLoop

WAITERS = 4
STEPS = 16  # more than a read takes
LEAVING = {"first": {0}, "one between": {2}, "last": {3}, "all but one": {0, 1, 3}, "all": {0, 1, 2, 3}}


class Slow:
    """A source that gives way three times, and once more when it is cancelled."""

    def __init__(self) -> None:
        self.begun = self.ended = self.most_at_once = 0
        self.wanted: set[asyncio.Task[object]] = set()

    async def load(self) -> Credentials:
        task = asyncio.current_task()
        assert task is not None
        self.begun += 1
        number = self.begun
        self.wanted = {other for other in self.wanted if not other.cancelling()} | {task}
        self.most_at_once = max(self.most_at_once, len(self.wanted))  # without the abandoned ones
        try:
            for _ in range(3):
                await asyncio.sleep(0)
        finally:
            try:
                await asyncio.sleep(0)
            finally:
                self.ended += 1
                self.wanted.discard(task)
        return Credentials(f"AKIA{number}", "x")


async def ask(service: TokenService, slow: Slow) -> Token:
    token, _ = await service.get(make_key(load=slow.load))
    return token


@pytest.fixture
def loop(imported: None) -> Iterator[SteppedLoop]:  # noqa: ARG001 - done before the first step
    loop = SteppedLoop()
    problems: list[object] = []
    loop.set_exception_handler(lambda _, context: problems.append(context))
    yield loop
    loop.close()
    assert problems == []


@pytest.mark.parametrize(("leaving", "step"), [*product(LEAVING, range(STEPS))])
def test_nothing_changes_for_those_who_stay(loop: SteppedLoop, leaving: str, step: int) -> None:
    slow = Slow()
    service = loop.inside(TokenService)
    waiters = [loop.create_task(ask(service, slow)) for _ in range(WAITERS)]
    loop.step(step)
    for number in LEAVING[leaving]:
        waiters[number].cancel()
    late = loop.create_task(ask(service, slow))  # asks in the very moment
    loop.step(4 * STEPS)
    assert late.done()
    assert all(waiter.done() for waiter in waiters)
    staying = [waiter.result() for waiter in (*waiters, late) if not waiter.cancelled()]
    assert len(staying) >= 1 + WAITERS - len(LEAVING[leaving])
    assert len({id(token) for token in staying}) == 1
    assert slow.begun <= (2 if leaving == "all" else 1)
    assert (slow.begun, slow.most_at_once) == (slow.ended, 1)
    assert not asyncio.all_tasks(loop)
    assert loop.run_until_complete(ask(service, slow)) is staying[0]


@pytest.mark.parametrize("step", range(STEPS))
def test_a_task_group_that_fails(loop: SteppedLoop, step: int) -> None:
    slow = Slow()
    service = loop.inside(TokenService)

    async def fail() -> None:
        for _ in range(step):
            await asyncio.sleep(0)
        raise ZeroDivisionError

    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(WAITERS):
                tasks.create_task(ask(service, slow))
            tasks.create_task(fail())

    outside = loop.create_task(ask(service, slow))
    with pytest.raises(ExceptionGroup) as raised:
        loop.run_until_complete(group())
    assert [type(error) for error in raised.value.exceptions] == [ZeroDivisionError]
    loop.run_until_complete(outside)
    loop.step(STEPS)
    assert slow.begun == slow.ended == 1
    assert not asyncio.all_tasks(loop)


@pytest.mark.parametrize("step", range(STEPS))
def test_closed_in_the_middle(loop: SteppedLoop, step: int) -> None:
    """Only waiting callers, and the reads that they wait for, outlive ``aclose()``."""
    slow = Slow()
    service = loop.inside(lambda: TokenService(refresh="background"))
    waiter = loop.create_task(ask(service, slow))
    loop.step(step)
    waiter.cancel()
    loop.run_until_complete(service.aclose())
    assert slow.begun == slow.ended
    assert asyncio.all_tasks(loop) <= {waiter}
    loop.step(2)
    assert not asyncio.all_tasks(loop)


async def test_a_timeout_around_it() -> None:
    gate = asyncio.Event()

    async def load() -> Credentials:
        await gate.wait()
        return Credentials("AKIA", "x")

    service = TokenService()
    key = make_key(load=load)
    patient = asyncio.create_task(service.get(key))
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await service.get(key)
    gate.set()
    await patient
    assert service.statistics().generations == 1
    assert asyncio.all_tasks() == {asyncio.current_task()}
