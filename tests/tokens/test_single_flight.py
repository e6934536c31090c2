"""A run that takes its time to end after it was cancelled does no harm to the next one."""

import asyncio

import pytest

from aws_iam_async.single_flight import SingleFlight
from tests.tokens.conftest import settle


async def test_a_slow_end_does_not_disturb_the_next_run() -> None:
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
        await gone
    second = asyncio.create_task(flights.run("a"))
    await settle()
    end.set()  # only now has the first one ended
    await settle()
    assert flights.flying("a")
    third = asyncio.create_task(flights.run("a"))
    await settle()
    gate.set()
    assert {await second, await third} == {"a2"}
    assert not flights.flying("a")


async def test_an_error_of_another_kind_is_raised_as_it_is() -> None:
    bug = ZeroDivisionError("a bug")

    async def function(_: str) -> str:
        raise bug

    with pytest.raises(ZeroDivisionError) as raised:
        await SingleFlight(function).run("a")
    assert raised.value is bug
    assert "function" in {entry.name for entry in raised.traceback}
