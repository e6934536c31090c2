"""How long an event loop was held."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

EVERY = 0.001


@contextlib.asynccontextmanager
async def felt() -> AsyncIterator[list[float]]:
    """Yield a list to which a task that wants to run every millisecond adds by how many seconds it was late."""
    late: list[float] = []
    heart = asyncio.create_task(_beat(late))
    await asyncio.sleep(0.02)
    late.clear()
    try:
        yield late
        await asyncio.sleep(0.02)
    finally:
        heart.cancel()


async def _beat(late: list[float]) -> None:
    last = time.perf_counter()
    while True:
        await asyncio.sleep(EVERY)
        now = time.perf_counter()
        late.append(now - last - EVERY)
        last = now
