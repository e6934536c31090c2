"""Measure several things at once, in short turns, so that a change of pace of the machine hits each of them alike."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from benchmarks.line import Spread

Subjects: TypeAlias = dict[str, Callable[[], Awaitable[Any]]]
"""What to await, by name."""


async def measure(
    subjects: Subjects, *, turns: int, calls: int = 20, clock: Callable[[], float] = time.thread_time
) -> dict[str, Spread]:
    """Return the microseconds that one call of each takes, by default of processor time.

    Args:
        subjects: What to await, by name.
        turns: How many turns each of them gets.
        calls: How many calls make a turn.
        clock: Returns seconds.
    """
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(turns):
        for name in random.sample(list(subjects), len(subjects)):
            subject = subjects[name]
            start = clock()
            for _ in range(calls):
                await subject()
            times[name].append((clock() - start) / calls * 1e6)
            # Nothing is waited for, so the loop would never get to clear away timers that were cancelled.
            await asyncio.sleep(0)
    return {name: Spread.of(several) for name, several in times.items()}
