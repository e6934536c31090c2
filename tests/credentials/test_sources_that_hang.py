"""If a source hangs, the request times out after 1 minute, and the next request asks the source again."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from aws_iam_async import Credentials, CredentialsError, refresh_ahead, threads
from aws_iam_async.credentials.sdk import read_chain
from aws_iam_async.credentials.source import CredentialsSource, SdkChain, credentials_source
from aws_iam_async.tokens.service import TokenService
from tests.credentials.conftest import AwsHome
from tests.tokens.conftest import imported
from tests.tokens.stepped_loop import SteppedLoop

__all__ = ["imported"]

START = 1_800_000_000.0
READ_LIMIT = 60.0  # seconds


class Stepped:
    """A token service with a wall clock and an event loop that advance together."""

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
def process_that_hangs_once(aws_home: AwsHome, tmp_path: Path) -> Iterator[None]:
    """A ``credential_process`` that hangs in its first run, until something is written to its pipe."""
    called, pipe, script = tmp_path / "called", tmp_path / "pipe", tmp_path / "process.sh"
    os.mkfifo(pipe)
    script.write_text(
        f"if [ ! -e {called} ]; then touch {called}; cat {pipe}; exit 1; fi\n"
        """echo '{"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "x"}'\n"""
    )
    aws_home.config.write_text(f"[profile slow]\ncredential_process = sh {script}\n")
    yield
    with contextlib.suppress(OSError):  # the process no longer reads
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))  # the end of file for the one that hangs


@pytest.mark.usefixtures("imported", "process_that_hangs_once")
def test_a_credential_process_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh_ahead, "READ_TIMEOUT", 6.0)

    async def main() -> None:
        service, profile, start = TokenService(), credentials_source(profile="slow"), time.monotonic()
        for _ in range(3):  # callers who give up sooner do not start another, and do not put the limit off
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.5):
                    await service.credentials(profile)
        with pytest.raises(CredentialsError, match="profile 'slow' did not answer within 6 s"):
            await service.credentials(profile)
        assert time.monotonic() - start < 9
        assert service.statistics().credentials_loads == 1
        assert (await service.credentials(profile)).credentials.access_key == "AKIAPROCESS"
        assert service.statistics().credentials_loads == 2

    asyncio.run(main())


async def test_a_source_that_swallows_its_cancellation_does_not_block_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh_ahead, "CLOSE_TIMEOUT", 0.5)
    released = asyncio.Event()

    async def stubborn() -> Credentials:
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()
        return Credentials("AKIA", "x")

    service = TokenService()
    reading = asyncio.create_task(service.credentials(credentials_source(credentials=stubborn)))
    await asyncio.sleep(0.1)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    async with asyncio.timeout(30):
        await service.aclose()
        released.set()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)


# A shell script that says which process it is, and hangs in another one.
HANGS = "echo $$ >> {pids}\nsleep 600 &\necho $! >> {pids}\nwait\n"


def is_running(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):  # it may end at any time
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


class Hanging:
    """A profile with a ``credential_process`` that never answers, and the processes that it has started."""

    def __init__(self, home: AwsHome, directory: Path) -> None:
        self.pids = directory / "pids"
        self.pids.touch()
        self.script = directory / "hangs.sh"
        self.script.write_text(HANGS.format(pids=self.pids))
        home.config.write_text(f"[profile slow]\ncredential_process = sh {self.script}\n")
        self.source = credentials_source(profile="slow")

    @property
    def started(self) -> list[int]:
        return [int(line) for line in self.pids.read_text().split()]

    def has_started(self, processes: int) -> bool:
        return len(self.started) == processes

    @property
    def running(self) -> list[int]:
        return list(filter(is_running, self.started))

    def wait_until_ended(self) -> None:
        deadline = time.monotonic() + 30
        while self.running:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def end(self) -> None:
        for pid in self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def hanging(aws_home: AwsHome, tmp_path: Path) -> Iterator[Hanging]:
    profile = Hanging(aws_home, tmp_path)
    yield profile
    profile.end()


def credentials_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "aws_iam_async read"]


@pytest.mark.usefixtures("imported")
def test_neither_processes_nor_threads_pile_up(hanging: Hanging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh_ahead, "READ_TIMEOUT", 4.0)
    before = len(credentials_threads())

    async def main() -> None:
        service = TokenService()
        for number in range(1, 4):
            with pytest.raises(CredentialsError, match="profile 'slow' did not answer within 4 s"):
                await service.credentials(hanging.source)
            assert hanging.has_started(2 * number)
            assert len(credentials_threads()) <= before + 1

    asyncio.run(main())
    deadline = time.monotonic() + 30
    while hanging.running or len(credentials_threads()) > before:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_read_that_its_callers_have_left_is_given_up(hanging: Hanging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh_ahead, "READ_TIMEOUT", 4.0)

    async def leave() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await TokenService().credentials(hanging.source)

    asyncio.run(leave())
    deadline = time.monotonic() + 30
    while hanging.running or len(hanging.started) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("begun", range(6), ids=lambda begun: f"{begun}_ms_after_its_start")
def test_a_program_that_ends_leaves_no_process(hanging: Hanging, begun: int) -> None:
    program = """if True:
        import asyncio, pathlib, sys
        import aiobotocore.session
        from aws_iam_async import RdsTokenProvider
        host = "db.c9akciq32.eu-west-1.rds.amazonaws.com"
        async def main():
            token = asyncio.create_task(
                RdsTokenProvider(profile="slow").get_token(host=host, port=5432, user="app")
            )
            while not pathlib.Path(sys.argv[1]).read_text():
                await asyncio.sleep(0)
            await asyncio.sleep(int(sys.argv[2]) / 1000)
            assert not token.done()
        asyncio.run(main())
    """
    arguments = [sys.executable, "-c", program, str(hanging.pids), str(begun)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("", "")
    assert hanging.started
    hanging.wait_until_ended()


def test_a_read_that_begins_while_the_program_ends_leaves_no_process(hanging: Hanging) -> None:
    program = """if True:
        import atexit
        atexit.register(lambda: read())  # first, so that it is called last
        from aws_iam_async import threads
        from aws_iam_async.credentials.sdk import read_chain
        from aws_iam_async.credentials.source import SdkChain
        def read():
            try:
                error = threads.start(lambda: read_chain(SdkChain("slow"), 60), name="read").exception(timeout=10)
            except RuntimeError as no_thread:  # CPython 3.12.1 starts none at this time
                error = no_thread
            print(type(error).__name__)
    """
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) in {("CancelledError\n", ""), ("RuntimeError\n", "")}
    assert hanging.started == []


def read_in_thread(seconds: float) -> BaseException | None:
    """Read the profile once in a thread, and return its error."""
    return threads.start(lambda: read_chain(SdkChain("slow"), seconds), name="read").exception(timeout=30)


@pytest.mark.usefixtures("imported")
def test_a_read_that_is_cancelled_twice_while_a_process_starts_leaves_none(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its timeout may expire while the program ends."""
    start = asyncio.BaseEventLoop.subprocess_exec

    async def start_slowly(loop: asyncio.BaseEventLoop, *arguments: Any, **options: Any) -> Any:
        (read,) = asyncio.all_tasks() - {cast("asyncio.Task[Any]", asyncio.current_task())}
        started = await start(loop, *arguments, **options)
        while not hanging.has_started(2):  # noqa: ASYNC110 - a file has no event for it
            await asyncio.sleep(0.01)
        for _ in range(2):
            read.cancel()
            await asyncio.sleep(0.05)
        return started

    monkeypatch.setattr(asyncio.BaseEventLoop, "subprocess_exec", start_slowly)
    assert isinstance(read_in_thread(60), asyncio.CancelledError)
    assert hanging.has_started(2)
    hanging.wait_until_ended()


@pytest.mark.usefixtures("imported")
def test_the_children_of_a_process_that_has_ended_are_ended_too(hanging: Hanging) -> None:
    """They hold its pipes, so that the read goes on."""
    hanging.script.write_text(hanging.script.read_text().removesuffix("wait\n"))
    assert isinstance(read_in_thread(2), TimeoutError)
    assert hanging.has_started(2)
    hanging.wait_until_ended()


@pytest.mark.usefixtures("imported")
def test_a_process_that_ends_just_before_it_is_killed(hanging: Hanging, monkeypatch: pytest.MonkeyPatch) -> None:
    kill = os.killpg

    def killed_before(group: int, number: int) -> None:
        kill(group, number)
        raise ProcessLookupError

    monkeypatch.setattr(os, "killpg", killed_before)
    assert isinstance(read_in_thread(2), TimeoutError)
    assert hanging.has_started(2)
    hanging.wait_until_ended()


def test_a_thread_that_cannot_be_ended_is_not_joined_by_another(
    stepped: Stepped, aws_home: AwsHome, tmp_path: Path
) -> None:
    """A file that hangs, as on a dead mount: opening a pipe without a writer waits in the kernel."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    aws_home.config.write_text(
        "[profile slow]\nrole_arn = arn:aws:iam::123456789012:role/app\nregion = us-east-1\n"
        f"web_identity_token_file = {pipe}\n"
    )
    source, before = credentials_source(profile="slow"), len(credentials_threads())
    try:
        for _ in range(3):
            waiting = stepped.ask(source)
            stepped.wait_for(lambda: len(credentials_threads()) > before)
            time.sleep(0.5)
            stepped.advance(READ_LIMIT + 1)
            with pytest.raises(CredentialsError, match="profile 'slow' did not answer within 60 s"):
                waiting.result()
        assert len(credentials_threads()) == before + 1
    finally:
        os.close(os.open(pipe, os.O_WRONLY))
