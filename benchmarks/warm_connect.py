"""What a public ``connect()`` with a warm token costs over the bare driver call, with the network stubbed.

``python -m benchmarks.warm_connect`` prints the table; ``--profile`` the functions that the time goes to.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aws_iam_async
from aws_iam_async import drivers
from benchmarks import stubbed_driver

ROUNDS = 60
CALLS = 500


async def main(*, profile: bool) -> None:
    """Measure, interleaved, so that a busy moment of the machine hits every line alike."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
    await drivers.load("asyncpg")
    with stubbed_driver.stubbed():
        async with aws_iam_async.PluginManager() as manager:
            if profile:
                await _profile()
            else:
                await _measure(manager)


async def _measure(manager: aws_iam_async.PluginManager) -> None:
    dsn, keywords = stubbed_driver.DSN, stubbed_driver.KEYWORDS
    bare = {**keywords, "port": 5432, "password": "token", "ssl": None}
    lines: dict[str, Callable[[], Awaitable[Any]]] = {
        "bare driver call": lambda: stubbed_driver.connect(**bare),
        "connect(host=..., user=...)": lambda: aws_iam_async.connect(**keywords),
        "connect(dsn)": lambda: aws_iam_async.connect(dsn),
        "manager.connect(host=..., user=...)": lambda: manager.connect(**keywords),
        "connect(host=..., plugins='')": lambda: aws_iam_async.connect(**keywords, plugins=""),
    }
    times: dict[str, list[float]] = {name: [] for name in lines}
    for _ in range(ROUNDS):
        for name, line in lines.items():
            times[name].append(await _per_call(line) * 1e6)
    bare_time = statistics.median(times["bare driver call"])
    print(f"{'median of ' + str(ROUNDS):<38}{'us/call':>9}{'fastest':>9}{'overhead':>10}")
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:<38}{median:>9.2f}{min(measured):>9.2f}{median - bare_time:>10.2f}")
    form = statistics.median(times["connect(dsn)"]) / statistics.median(times["connect(host=..., user=...)"])
    print(f"DSN form / keyword form: {form:.2f}")


async def _per_call(line: Callable[[], Awaitable[Any]]) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        await line()
    return (time.perf_counter() - start) / CALLS


async def _profile() -> None:
    for form, options in (("keywords", stubbed_driver.KEYWORDS), ("DSN", {"dsn": stubbed_driver.DSN})):
        await aws_iam_async.connect(**options)
        profiler = cProfile.Profile()
        with profiler:
            for _ in range(20_000):
                await aws_iam_async.connect(**options)
        print(f"--- {form}, 20000 calls, by own time")
        pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true")
    asyncio.run(main(profile=parser.parse_args().profile))
