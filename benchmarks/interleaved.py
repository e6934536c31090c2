"""Measures several subjects in short turns, so that changes in the machine's speed affect all of them equally."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from benchmarks.line import Spread

Subjects: TypeAlias = dict[str, Callable[[], Awaitable[Any]]]
"""Functions to call and await, by name."""


async def measure(
    subjects: Subjects, *, turns: int, calls: int = 20, clock: Callable[[], float] = time.thread_time
) -> dict[str, Spread]:
    """Return how many microseconds one call of each subject takes.

    Args:
        subjects: The functions to call and await, by name.
        turns: The number of turns of each subject.
        calls: The number of calls in a turn.
        clock: Returns a time in seconds. The default is the processor time of the thread.
    """
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(turns):
        for name in random.sample(list(subjects), len(subjects)):
            subject = subjects[name]
            start = clock()
            for _ in range(calls):
                await subject()
            times[name].append((clock() - start) / calls * 1e6)
            # The subjects do not wait, so this is the event loop's only chance to remove cancelled timers.
            await asyncio.sleep(0)
    return {name: Spread.of(several) for name, several in times.items()}
