"""Connects that had to wait for AWS in a day: credentials that live for an hour and take two seconds to get."""

import asyncio
import math
from typing import Literal

from benchmarks.line import Line, Spread, Target
from benchmarks.simulated_day import DAY, START, ByHand, Client, Endpoint, ThisPackage, now
from benchmarks.virtual_loop import VirtualLoop

HAND = "aiobotocore by hand"
MODES: tuple[Literal["on_use", "background"], ...] = ("on_use", "background")
OFTEN, SELDOM = 30, 1000


def measure() -> list[Line]:
    """Let the days pass: simulated ones, so they are the same each time."""
    lines = []
    for every, limits in ((OFTEN, (0, 0)), (SELDOM, (24, 0))):
        waits = {HAND: _waits(ByHand(Endpoint(math.inf)), every)}
        waits |= {f'this package, "{mode}"': _waits(ThisPackage(Endpoint(math.inf), mode), every) for mode in MODES}
        ours = [waits[f'this package, "{mode}"'] for mode in MODES]
        targets = [Target(mode, count, limit) for mode, count, limit in zip(MODES, ours, limits, strict=True)]
        subjects = {name: Spread(count, count, count) for name, count in waits.items()}
        lines.append(Line(f"a connection every {every} s for a day", "connects that waited", subjects, targets))
    return lines


def _waits(client: Client, every: int) -> int:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_day(client, every))


async def _day(client: Client, every: int) -> int:
    await client.log_in("app")  # the very first has to wait
    waits = 0
    while now() < START + DAY:
        await asyncio.sleep(every)
        began = now()
        await client.log_in("app")
        waits += now() > began
    await client.close()
    return waits
