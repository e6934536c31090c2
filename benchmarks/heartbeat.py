"""Measures how long an event loop is blocked."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

INTERVAL = 0.001  # seconds


@contextlib.asynccontextmanager
async def delays() -> AsyncIterator[list[float]]:
    """Start a task that runs every millisecond, and yield a list. The task appends its delay in seconds to the list."""
    late: list[float] = []
    task = asyncio.create_task(_beat(late))
    await asyncio.sleep(0.02)
    late.clear()
    try:
        yield late
        await asyncio.sleep(0.02)
    finally:
        task.cancel()


async def _beat(late: list[float]) -> None:
    last = time.perf_counter()
    while True:
        await asyncio.sleep(INTERVAL)
        now = time.perf_counter()
        late.append(now - last - INTERVAL)
        last = now
