"""A source that hangs once is given up after a minute, and asked anew."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aws_iam_async import Credentials, CredentialsError
from aws_iam_async.credentials.source import CredentialsSource, credentials_source
from aws_iam_async.tokens.service import TokenService
from tests.credentials.conftest import AwsHome
from tests.tokens.conftest import imported
from tests.tokens.stepped_loop import SteppedLoop

__all__ = ["imported"]

START = 1_800_000_000.0
READ_LIMIT = 60.0  # seconds


class Stepped:
    """A service whose wall clock and event loop go forward together."""

    def __init__(self, loop: SteppedLoop) -> None:
        self.loop = loop
        self.service = loop.inside(lambda: TokenService(clock=self.now, random=lambda: 0.0))

    def now(self) -> float:
        return START + self.loop.now

    def ask(self, source: CredentialsSource) -> "asyncio.Task[str]":
        async def get() -> str:
            return (await self.service.credentials(source)).credentials.access_key

        task = self.loop.create_task(get())
        self.loop.step(20)
        return task

    def advance(self, seconds: float) -> None:
        self.loop.now += seconds
        self.loop.step(20)

    def wait_for(self, done: Callable[[], bool]) -> None:
        """Let real threads and processes go on."""
        deadline = time.monotonic() + 60
        while not done():
            assert time.monotonic() < deadline
            self.loop.step()
            time.sleep(0.005)


@pytest.fixture
def stepped(imported: None) -> Iterator[Stepped]:  # noqa: ARG001 - done before the first step
    loop = SteppedLoop()
    asyncio.set_event_loop(loop)
    yield Stepped(loop)
    assert asyncio.all_tasks(loop) == set()
    asyncio.set_event_loop(None)
    loop.close()


def test_a_background_refresh_that_hangs(stepped: Stepped) -> None:
    calls = 0

    async def load() -> Credentials:
        nonlocal calls
        calls += 1
        if calls == 2:
            await asyncio.Event().wait()
        return Credentials(f"AKIA{calls}", "x", "y", datetime.fromtimestamp(stepped.now() + 100, UTC))

    vault = credentials_source(credentials=load)
    assert stepped.ask(vault).result() == "AKIA1"
    stepped.advance(90)
    assert stepped.ask(vault).result() == "AKIA1"  # and from now on the refresh hangs
    stepped.advance(15)
    waiters = [stepped.ask(vault) for _ in range(3)]
    stepped.advance(READ_LIMIT - 16)
    assert not any(waiter.done() for waiter in waiters)
    stepped.advance(2)
    for waiter in waiters:
        with pytest.raises(CredentialsError, match="did not answer within 60 s"):
            waiter.result()
    assert stepped.ask(vault).result() == "AKIA3"


@pytest.fixture
def process_that_hangs_once(aws_home: AwsHome, tmp_path: Path) -> Iterator[Path]:
    """A ``credential_process`` whose first run waits for somebody to write to it. Gives the file that it makes."""
    called, pipe, script = tmp_path / "called", tmp_path / "pipe", tmp_path / "process.sh"
    os.mkfifo(pipe)
    script.write_text(
        f"if [ ! -e {called} ]; then touch {called}; cat {pipe}; exit 1; fi\n"
        """echo '{"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "x"}'\n"""
    )
    aws_home.config.write_text(f"[profile slow]\ncredential_process = sh {script}\n")
    yield called
    os.close(os.open(pipe, os.O_WRONLY))  # the end of file for the one that hangs


def test_a_credential_process_that_hangs(stepped: Stepped, process_that_hangs_once: Path) -> None:
    profile = credentials_source(profile="slow")
    first = stepped.ask(profile)
    stepped.wait_for(process_that_hangs_once.exists)
    for _ in range(3):  # callers who give up sooner do not start another, and do not put the limit off
        first.cancel()
        stepped.advance(READ_LIMIT / 4)
        first = stepped.ask(profile)
    assert stepped.service.statistics().credentials_loads == 1
    stepped.advance(READ_LIMIT / 4)
    with pytest.raises(CredentialsError, match="profile 'slow' did not answer within 60 s"):
        first.result()
    second = stepped.ask(profile)
    stepped.wait_for(second.done)
    assert second.result() == "AKIAPROCESS"
    assert stepped.service.statistics().credentials_loads == 2
