"""What caches hold while ever more users ask for one token each: those of 1024 tokens, and the AWS wrapper's.

Each is asked through its own code, signatures included, while every allocation is traced: that takes minutes.
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
AT_ONCE = 100


def measure() -> list[Line]:
    """Measure."""
    os.environ |= KEY
    return [asyncio.run(_measure())]


async def _measure() -> Line:
    service = TokenService()
    caches: dict[str, Callable[[range], Awaitable[None]]] = {
        "async-lru": _each(remembered),
        OURS: lambda users: many_users.ask(service, users),
        WRAPPER: _each(peers.aws_wrapper_token()),
    }
    held = {name: await _held(ask) for name, ask in caches.items()}
    _, some, most = held[OURS]
    targets = [Target("MiB", most, 1.6), Target("growth from 10,000 users on", most / some - 1, 0.02)]
    subjects = {
        f"{name}, {users:,} users": Spread(value, value, value)
        for name, values in held.items()
        for users, value in zip(USERS, values, strict=True)
    }
    return Line("memory", "MiB", subjects, targets)


async def _held(ask: Callable[[range], Awaitable[None]]) -> list[float]:
    """Return the MiB that are held after each number of users."""
    await ask(range(-AT_ONCE, 0))  # whatever is made once
    held = []
    tracemalloc.start()
    for first, end in zip((0, *USERS), USERS, strict=False):
        await ask(range(first, end))
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0] / MIB)
    tracemalloc.stop()
    return held


def _each(get_token: Callable[[str], Awaitable[object]]) -> Callable[[range], Awaitable[None]]:
    async def ask(users: range) -> None:
        for first in range(users.start, users.stop, AT_ONCE):
            await asyncio.gather(*(get_token(f"user{user}") for user in range(first, first + AT_ONCE)))

    return ask


@alru_cache(maxsize=SIZE)
async def remembered(user: str) -> str:
    """Sign, without any look at the age of what is remembered."""
    key = TokenKey(stubbed_driver.HOST, 5432, user, stubbed_driver.REGION, DEFAULT_CHAIN)
    credentials = Credentials(KEY["AWS_ACCESS_KEY_ID"], KEY["AWS_SECRET_ACCESS_KEY"])
    return presign(key, credentials, issued=1_800_000_000)
