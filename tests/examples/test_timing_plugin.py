"""The example of a timing plugin: one line for each physical connection, whatever becomes of it."""

import asyncio
import logging

import pytest

from aws_iam_async import ConnectRequest
from aws_iam_async.testing import Emulator
from examples.timing_plugin import TimingPlugin
from tests.examples.conftest import Run, credentials, dsn

REQUEST = ConnectRequest(driver="asyncpg", host="db.example", port=5432)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_success_failure_and_cancellation_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()

    async def succeed(_request: ConnectRequest) -> str:
        clock.now += 0.25
        return "connection"

    async def fail(_request: ConnectRequest) -> None:
        clock.now += 1.5
        raise ConnectionRefusedError

    async def cancel(_request: ConnectRequest) -> None:
        raise asyncio.CancelledError

    plugin = TimingPlugin(clock)
    with caplog.at_level(logging.INFO):
        assert await plugin.connect(REQUEST, succeed) == "connection"
        with pytest.raises(ConnectionRefusedError):
            await plugin.connect(REQUEST, fail)
        with pytest.raises(asyncio.CancelledError):
            await plugin.connect(REQUEST, cancel)
    assert caplog.messages == [
        "db.example:5432 connected after 0.250 s",
        "db.example:5432 ConnectionRefusedError after 1.500 s",
        "db.example:5432 cancelled after 0.000 s",
    ]


@pytest.fixture(params=["rds_postgres", "rds_mysql"])
def emulator(request: pytest.FixtureRequest) -> Emulator:
    found: Emulator = request.getfixturevalue(request.param)
    return found


async def test_the_example_runs(emulator: Emulator, run: Run) -> None:
    ran = await run("timing_plugin.py", dsn(emulator), environment=credentials(emulator))
    assert (ran.status, ran.out) == (0, "1 token for 2 connections\n")
    assert ran.err.count(f"127.0.0.1:{emulator.port} connected after") == 2
