"""A clock that tests set, and a source of credentials that tests hold back, let go, or fail."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from aws_iam_async import Credentials
from aws_iam_async.tokens.service import TokenService
from aws_iam_async.tokens.token import TokenKey
from tests.tokens.keys import make_key

START = 1_800_000_000.0


class Clock:
    """The wall clock, as far as the code under test can tell."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Vault:
    """Gives new credentials at each read; ``hold`` keeps reads under way until ``release``, ``error`` fails them.

    Attributes:
        life: Seconds for which credentials work; ``None`` for ever.
        reads: Reads that have begun.
        running: Those among them that have not ended.
        most_at_once: The maximum number of concurrent reads, without the cancelled ones.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.life: float | None = None
        self.error: Exception | None = None
        self.reads = self.running = self.most_at_once = 0
        self._wanted: set[asyncio.Task[object]] = set()
        self._gate = asyncio.Event()
        self._gate.set()

    def hold(self) -> None:
        self._gate = asyncio.Event()

    def release(self) -> None:
        self._gate.set()

    async def load(self) -> Credentials:
        task = asyncio.current_task()
        assert task is not None
        self.reads += 1
        number = self.reads
        self.running += 1
        self._wanted = {other for other in self._wanted if not other.cancelling()} | {task}
        self.most_at_once = max(self.most_at_once, len(self._wanted))
        try:
            await self._gate.wait()
            if self.error is not None:
                raise self.error
        finally:
            self.running -= 1
            self._wanted.discard(task)
        expires = None if self.life is None else datetime.fromtimestamp(self.clock() + self.life, UTC)
        return Credentials(f"AKIA{number}", "SECRET-KEY-MARK", None, expires)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def vault(clock: Clock) -> Vault:
    vault = Vault(clock)
    # What is imported in a thread for the first token would come between the steps that are counted.
    await TokenService().get(make_key(load=vault.load))
    vault.reads = 0
    return vault


@pytest.fixture(scope="session")
def imported() -> None:
    """The same for tests that run a loop of their own."""

    async def load() -> Credentials:
        return Credentials("AKIA", "x")

    async def ask() -> None:
        await TokenService().get(make_key(load=load))

    asyncio.run(ask())


@pytest.fixture
def service(clock: Clock) -> TokenService:
    return TokenService(maxsize=4, clock=clock, random=lambda: 0.0)


@pytest.fixture
def key(vault: Vault) -> TokenKey:
    return make_key(load=vault.load)


async def settle() -> None:
    """Let everything run that can run."""
    for _ in range(30):
        await asyncio.sleep(0)
