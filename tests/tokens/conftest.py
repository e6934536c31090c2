"""A clock that tests set, and a generator of tokens that tests hold back, let go, or fail."""

import asyncio
from dataclasses import dataclass, field

import pytest

import aws_iam_async.tokens.on_loop  # noqa: F401 - its import in a thread would come between the steps that are counted
from aws_iam_async.credentials.source import DEFAULT_CHAIN
from aws_iam_async.secret import Secret
from aws_iam_async.statistics import TokenCounters
from aws_iam_async.tokens.cache import TokenCache
from aws_iam_async.tokens.key import TokenKey
from aws_iam_async.tokens.lifetime import plan
from aws_iam_async.tokens.token import Token

START = 1_800_000_000.0


class Clock:
    """The wall clock, as far as the code under test can tell."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Generator:
    """Makes tokens; ``hold`` keeps generations under way until ``release``, ``error`` makes them fail."""

    clock: Clock
    error: Exception | None = None
    credentials_expire: float | None = None
    started: int = 0
    running: dict[TokenKey, int] = field(default_factory=dict)
    most_at_once: int = 0
    gate: asyncio.Event | None = None

    def hold(self) -> None:
        self.gate = asyncio.Event()

    def release(self) -> None:
        assert self.gate is not None
        self.gate.set()
        self.gate = None

    async def __call__(self, key: TokenKey) -> Token:
        self.started += 1
        self.running[key] = self.running.get(key, 0) + 1
        self.most_at_once = max(self.most_at_once, self.running[key])
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.error is not None:
                raise self.error
        finally:
            self.running[key] -= 1
        lifetime = plan(self.clock(), expiration=key.expiration, credentials_expire=self.credentials_expire, draw=0.0)
        return Token(Secret("made up"), key.region, "AKIAEXAMPLE", lifetime)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def generator(clock: Clock) -> Generator:
    return Generator(clock)


@pytest.fixture
def counters() -> TokenCounters:
    return TokenCounters()


@pytest.fixture
def cache(clock: Clock, generator: Generator, counters: TokenCounters) -> TokenCache:
    return TokenCache(generator, maxsize=4, clock=clock, random=lambda: 0.0, counters=counters)


def make_key(user: str = "app", *, expiration: int = 900) -> TokenKey:
    return TokenKey("db.example", 5432, user, "us-east-1", DEFAULT_CHAIN, expiration)


@pytest.fixture
def key() -> TokenKey:
    return make_key()


async def settle() -> None:
    """Let everything run that can run."""
    for _ in range(20):
        await asyncio.sleep(0)
