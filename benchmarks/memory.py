"""What a cache of 1024 tokens holds while ever more users ask for one each."""

import asyncio
import gc
import tracemalloc

from aws_iam_async.tokens.service import TokenService
from benchmarks.line import Line, Spread, Target
from benchmarks.many_users import ask

MIB = 1024 * 1024
USERS = (1_000, 10_000, 100_000)


def measure() -> list[Line]:
    """Measure."""
    return [asyncio.run(_measure())]


async def _measure() -> Line:
    service = TokenService()
    await ask(TokenService(), range(100))  # whatever is made once
    tracemalloc.start()
    held: dict[str, float] = {}
    asked = 0
    for users in USERS:
        await ask(service, range(asked, users))
        asked = users
        gc.collect()
        held[f"this package, {users:,} users"] = tracemalloc.get_traced_memory()[0] / MIB
    tracemalloc.stop()
    _, some, most = held.values()
    targets = [Target("MiB", most, 1.6), Target("growth from 10,000 users on", most / some - 1, 0.02)]
    return Line("memory", "MiB", {name: Spread(value, value, value) for name, value in held.items()}, targets)
