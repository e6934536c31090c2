"""What many first connects at once do once for all of them, counted."""

import asyncio

import pytest

from aws_iam_async import PluginManager, drivers
from aws_iam_async.drivers.asyncpg import AsyncpgDriver
from aws_iam_async.drivers.protocol import Driver
from aws_iam_async.options import Reader
from benchmarks import stubbed_driver
from tests.speed.counting import called


async def test_a_driver_is_made_and_its_options_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def load(_: str) -> type[Driver]:
        await asyncio.sleep(0)  # an import in a thread, for which everyone waits
        return AsyncpgDriver

    monkeypatch.setattr(drivers, "load", load)
    async with PluginManager("") as manager:

        async def storm() -> None:
            with stubbed_driver.stubbed():
                await asyncio.gather(*(manager.connect(**stubbed_driver.KEYWORDS) for _ in range(100)))

        calls = await called(storm)
    assert calls[AsyncpgDriver.__init__.__code__] == 1
    assert calls[Reader.__init__.__code__] == 1
    assert calls[Reader._read.__code__] == 1
    assert calls[stubbed_driver.connect.__code__] == 100
