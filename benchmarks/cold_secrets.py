"""Measures 100 concurrent first connections that log in with a secret from Secrets Manager, in a fresh process.

Secrets Manager takes 200 ms to answer. The AWS credentials are in the environment. As in ``cold_storm``, the driver's
network is left out. The limit is 100 bare driver calls that share one wait of 200 ms.
"""

import asyncio
import json
import statistics
import sys
import time
from typing import Any

from benchmarks import cold_storm, credentials_endpoint, fresh_process, heartbeat, stubbed_driver
from benchmarks.line import Line, Spread, Target

RUNS = 5
SIZE = 100
MOST_OF_LIMIT = 1.5
SECRET = "shop/app"  # noqa: S105 - the name of the secret, not its value
OURS, IMPORTED, WRAPPER = cold_storm.OURS, cold_storm.IMPORTED, cold_storm.WRAPPER
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}


def measure() -> list[Line]:
    """Run the benchmark."""
    runs: dict[str, list[fresh_process.Figures]] = {subject: [] for subject in SUBJECTS}
    with credentials_endpoint.running() as (url, requests):
        environment = KEYS | {"AWS_ENDPOINT_URL_SECRETS_MANAGER": url.rpartition("/")[0]}
        for _ in range(RUNS):
            for subject, several in runs.items():
                requests.value = 0
                figures = fresh_process.run("cold_secrets", subject, environment=environment)
                several.append(figures | {"requests": requests.value})

    def spread(subject: str, figure: str) -> Spread:
        return Spread.of([run[figure] for run in runs[subject]])

    limit = Spread.of([run["limit"] for several in runs.values() for run in several])
    counts = {
        f"requests, {subject}": statistics.median(run["requests"] for run in runs[subject])
        for subject in (OURS, WRAPPER)
    }
    targets = [
        Target("imports before, of the limit", spread(IMPORTED, "wall").median / limit.median, MOST_OF_LIMIT),
        Target("requests", counts[f"requests, {OURS}"], 1),
    ]
    stalls = {subject: spread(subject, "stall") for subject in runs}
    stalled = [
        Target(f"ms, {subject}", stalls[subject].median, cold_storm.LONGEST_STALL) for subject in (OURS, IMPORTED)
    ]
    name = f"{SIZE} cold connects with secrets_manager"
    walls = {"limit": limit} | {subject: spread(subject, "wall") for subject in runs}
    return [
        Line(name, "ms until the last", walls, targets, counts),
        Line(f"{name}: the loop", "ms held at most", stalls, stalled),
    ]


async def _once(subject: str) -> fresh_process.Figures:
    limit = await cold_storm.bare_storm(SIZE)
    wall, stall = await SUBJECTS[subject]()
    return {"wall": wall * 1e3, "limit": limit * 1e3, "stall": stall * 1e3}


async def _ours() -> tuple[float, float]:
    import aws_iam_async  # noqa: PLC0415 - an application imports it before it serves requests

    with stubbed_driver.stubbed():
        async with aws_iam_async.PluginManager("secrets_manager") as manager, heartbeat.delays() as late:
            options: dict[str, Any] = {"driver": "asyncpg", "host": stubbed_driver.HOST, "secret_id": SECRET}
            start = time.perf_counter()
            await asyncio.gather(*(manager.connect(**options) for _ in range(SIZE)))
            wall = time.perf_counter() - start
    return wall, max(late)


async def _ours_imported() -> tuple[float, float]:
    import aiobotocore.session  # noqa: F401, PLC0415 - an application imports it before it serves requests

    return await _ours()


async def _wrapper() -> tuple[float, float]:
    from benchmarks import peers  # noqa: PLC0415 - an application imports it before it serves requests

    connect = peers.aws_wrapper(
        "aws_secrets_manager", secrets_manager_secret_id=SECRET, secrets_manager_region=stubbed_driver.REGION
    )
    async with heartbeat.delays() as late:
        start = time.perf_counter()
        await asyncio.gather(*(connect() for _ in range(SIZE)))
        wall = time.perf_counter() - start
    return wall, max(late)


SUBJECTS = {OURS: _ours, IMPORTED: _ours_imported, WRAPPER: _wrapper}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_once(sys.argv[1]))))
