"""Measures the memory of token caches while more and more users get one token each.

The caches of this package and of async-lru keep 1024 tokens. The AWS wrapper has no such limit. Each cache is used
through its own code, including the signatures. All allocations are traced, which takes minutes.
"""

import asyncio
import gc
import os
import tracemalloc
from collections.abc import Awaitable, Callable

from async_lru import alru_cache

from aws_iam_async import Credentials
from aws_iam_async.credentials.source import DEFAULT_CHAIN
from aws_iam_async.tokens.service import TokenService
from aws_iam_async.tokens.sigv4 import presign
from aws_iam_async.tokens.token import TokenKey
from benchmarks import many_users, peers, stubbed_driver
from benchmarks.line import Line, Spread, Target
from benchmarks.warm_connect import KEY, OURS, WRAPPER

MIB = 1024 * 1024
SIZE = 1024
USERS = (1_000, 10_000, 100_000)
CONCURRENT = 100


def measure() -> list[Line]:
    """Run the benchmark."""
    os.environ |= KEY
    return [asyncio.run(_measure())]


async def _measure() -> Line:
    service = TokenService()
    caches: dict[str, Callable[[range], Awaitable[None]]] = {
        "async-lru": _each(cached_token),
        OURS: lambda users: many_users.get_tokens(service, users),
        WRAPPER: _each(peers.aws_wrapper_token()),
    }
    memory = {name: await _memory(get_tokens) for name, get_tokens in caches.items()}
    _, with_10_000, with_100_000 = memory[OURS]
    targets = [
        Target("MiB", with_100_000, 1.6),
        Target("growth from 10,000 users on", with_100_000 / with_10_000 - 1, 0.02),
    ]
    subjects = {
        f"{name}, {users:,} users": Spread(value, value, value)
        for name, values in memory.items()
        for users, value in zip(USERS, values, strict=True)
    }
    return Line("memory", "MiB", subjects, targets)


async def _memory(get_tokens: Callable[[range], Awaitable[None]]) -> list[float]:
    """Return the allocated MiB after each number of users."""
    await get_tokens(range(-CONCURRENT, 0))  # create the objects that are created only once
    memory = []
    tracemalloc.start()
    for first, end in zip((0, *USERS), USERS, strict=False):
        await get_tokens(range(first, end))
        gc.collect()
        memory.append(tracemalloc.get_traced_memory()[0] / MIB)
    tracemalloc.stop()
    return memory


def _each(get_token: Callable[[str], Awaitable[object]]) -> Callable[[range], Awaitable[None]]:
    async def get_tokens(users: range) -> None:
        for first in range(users.start, users.stop, CONCURRENT):
            await asyncio.gather(*(get_token(f"user{user}") for user in range(first, first + CONCURRENT)))

    return get_tokens


@alru_cache(maxsize=SIZE)
async def cached_token(user: str) -> str:
    """Return a signed token from a cache that never expires."""
    key = TokenKey(stubbed_driver.HOST, 5432, user, stubbed_driver.REGION, DEFAULT_CHAIN)
    credentials = Credentials(KEY["AWS_ACCESS_KEY_ID"], KEY["AWS_SECRET_ACCESS_KEY"])
    return presign(key, credentials, issued=1_800_000_000)
