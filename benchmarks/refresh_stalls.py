"""Counts connections that waited for AWS during a simulated day.

Credentials are valid for 1 hour, and a request for them takes 2 seconds.
"""

import asyncio
import math
from typing import Literal

from benchmarks.line import Line, Spread, Target
from benchmarks.simulated_day import DAY, START, ByHand, Client, Endpoint, ThisPackage, now
from benchmarks.virtual_loop import VirtualLoop

HAND = "aiobotocore by hand"
MODES: tuple[Literal["on_use", "background"], ...] = ("on_use", "background")
OFTEN, SELDOM = 30, 1000  # seconds between two connections


def measure() -> list[Line]:
    """Run the benchmark. The days are simulated, so the result is the same each time."""
    lines = []
    for interval, limits in ((OFTEN, (0, 0)), (SELDOM, (24, 0))):
        waits = {HAND: _waits(ByHand(Endpoint(math.inf)), interval)}
        waits |= {f'this package, "{mode}"': _waits(ThisPackage(Endpoint(math.inf), mode), interval) for mode in MODES}
        ours = [waits[f'this package, "{mode}"'] for mode in MODES]
        targets = [Target(mode, count, limit) for mode, count, limit in zip(MODES, ours, limits, strict=True)]
        subjects = {name: Spread(count, count, count) for name, count in waits.items()}
        lines.append(Line(f"a connection every {interval} s for a day", "connects that waited", subjects, targets))
    return lines


def _waits(client: Client, interval: int) -> int:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_day(client, interval))


async def _day(client: Client, interval: int) -> int:
    await client.log_in("app")  # not counted, because the first login always waits
    waits = 0
    while now() < START + DAY:
        await asyncio.sleep(interval)
        start = now()
        await client.log_in("app")
        waits += now() > start
    await client.close()
    return waits
