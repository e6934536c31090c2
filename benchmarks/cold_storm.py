"""Measures many concurrent first connections in a fresh process.

The credentials endpoint takes 200 ms to answer. Each run has a process of its own, and the driver's network is left
out. The limit is the same number of bare driver calls that share one wait of 200 ms through async-lru. The benchmark
also counts requests to the endpoint and signed tokens.
"""

import asyncio
import json
import statistics
import sys
import time
from typing import Any

from async_lru import alru_cache

from benchmarks import credentials_endpoint, fresh_process, heartbeat, stubbed_driver
from benchmarks.line import Line, Spread, Target

RUNS = 5
SIZES = {100: 1.5, 1000: 1.6}
OURS = "this package"
IMPORTED = "this package, imports before"
WRAPPER = "AWS wrapper"
CLIENT = "aiobotocore, one client"
LONGEST_STALL = 20.0


def measure() -> list[Line]:
    """Run the benchmark with each number of connections."""
    runs: dict[tuple[int, str], list[fresh_process.Figures]] = {
        (size, subject): [] for size in SIZES for subject in SUBJECTS
    }
    with credentials_endpoint.running() as (url, requests):
        for _ in range(RUNS):
            for (size, subject), several in runs.items():
                requests.value = 0
                figures = fresh_process.run(
                    "cold_storm", str(size), subject, environment={"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}
                )
                several.append(figures | {"requests": requests.value})
    return [line for size in SIZES for line in _lines(size, {subject: runs[size, subject] for subject in SUBJECTS})]


def _lines(size: int, runs: dict[str, list[fresh_process.Figures]]) -> list[Line]:
    def median(subject: str, figure: str) -> float:
        return statistics.median(run[figure] for run in runs[subject])

    walls = {"limit": Spread.of([run["limit"] for several in runs.values() for run in several])} | {
        subject: Spread.of([run["wall"] for run in several]) for subject, several in runs.items()
    }
    counts = {
        f"{what}, {subject}": median(subject, what)
        for subject in (OURS, WRAPPER, CLIENT)
        for what in ("requests", "generations")
    }
    worst = max(counts[f"{what}, {OURS}"] for what in ("requests", "generations"))
    targets = [
        # The time of imports belongs to the cold start.
        Target("imports before, of the limit", walls[IMPORTED].median / walls["limit"].median, SIZES[size]),
        Target("requests and generations", worst, 1),
    ]
    stalls = {subject: Spread.of([run["stall"] for run in several]) for subject, several in runs.items()}
    with_target = (OURS, IMPORTED) if size == min(SIZES) else ()
    stalled = [Target(f"ms, {subject}", stalls[subject].median, LONGEST_STALL) for subject in with_target]
    return [
        Line(f"{size} cold connects", "ms until the last", walls, targets, counts),
        Line(f"{size} cold connects: the loop", "ms held at most", stalls, stalled),
    ]


async def _once(size: int, subject: str) -> fresh_process.Figures:
    # Subjects import their libraries before the clock starts, because an application imports them before it serves
    # requests.
    limit = await bare_storm(size)
    storm = SUBJECTS[subject]
    wall, stall, generations = await storm(size)
    return {"wall": wall * 1e3, "limit": limit * 1e3, "stall": stall * 1e3, "generations": generations}


async def bare_storm(size: int) -> float:
    """Return the seconds that a number of bare driver calls take if they share one wait for the endpoint."""
    start = time.perf_counter()
    await asyncio.gather(*(_bare() for _ in range(size)))
    return time.perf_counter() - start


@alru_cache
async def _answer() -> str:
    await asyncio.sleep(credentials_endpoint.DELAY)
    return "token"


async def _bare() -> Any:
    return await stubbed_driver.connect(password=await _answer())


async def _ours(size: int) -> tuple[float, float, int]:
    import aws_iam_async  # noqa: PLC0415 - see _once()

    with stubbed_driver.stubbed():
        async with aws_iam_async.PluginManager() as manager, heartbeat.delays() as late:
            start = time.perf_counter()
            await asyncio.gather(*(manager.connect(**stubbed_driver.KEYWORDS) for _ in range(size)))
            wall = time.perf_counter() - start
    return wall, max(late), manager.statistics().generations


async def _ours_imported(size: int) -> tuple[float, float, int]:
    import aiobotocore.session  # noqa: F401, PLC0415 - see _once()

    return await _ours(size)


async def _wrapper(size: int) -> tuple[float, float, int]:
    from aws_advanced_python_wrapper.utils.iam_utils import IamAuthUtils  # noqa: PLC0415 - see _once()

    from benchmarks import peers  # noqa: PLC0415 - see _once()

    connect = peers.aws_wrapper()
    generations = 0
    generate = IamAuthUtils.generate_authentication_token

    def counted(*arguments: Any, **keywords: Any) -> str:
        nonlocal generations
        generations += 1
        token: str = generate(*arguments, **keywords)
        return token

    IamAuthUtils.generate_authentication_token = counted
    async with heartbeat.delays() as late:
        start = time.perf_counter()
        await asyncio.gather(*(connect() for _ in range(size)))
        wall = time.perf_counter() - start
    return wall, max(late), generations


async def _client(size: int) -> tuple[float, float, int]:
    import aiobotocore.session  # noqa: F401, PLC0415 - see _once()

    from benchmarks import peers  # noqa: PLC0415 - see _once()

    generations = 0
    async with heartbeat.delays() as late:
        start = time.perf_counter()
        async with peers.rds_client() as client:
            generate = client.generate_db_auth_token

            async def counted(*arguments: Any) -> str:
                nonlocal generations
                generations += 1
                token: str = await generate(*arguments)
                return token

            client.generate_db_auth_token = counted
            await asyncio.gather(*(peers.by_hand(client) for _ in range(size)))
            wall = time.perf_counter() - start
    return wall, max(late), generations


SUBJECTS = {OURS: _ours, IMPORTED: _ours_imported, WRAPPER: _wrapper, CLIENT: _client}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_once(int(sys.argv[1]), sys.argv[2]))))
