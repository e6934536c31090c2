"""Many concurrent first connects in a fresh process, with a credentials endpoint that takes 200 ms to answer.

``python -m benchmarks.cold_storm`` runs each size several times, each run in a process of its own; the network of the
driver is stubbed. "SDK" says whether aiobotocore had been imported before, as in applications that use it elsewhere.
"Stall" is the longest time for which the event loop did not come round to a task that wants to run
every millisecond. "Limit" is the endpoint's delay and as many bare driver calls.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time

from benchmarks import credentials_endpoint

RUNS = 5
HEARTBEAT = 0.001


def main(sizes: list[int]) -> None:
    """Run every size, in turn, and print the medians."""
    widths = {
        "connects": 8,
        "SDK": 6,
        "requests": 10,
        "tokens": 8,
        "wall ms": 9,
        "limit ms": 10,
        "stall ms": 10,
        "worst": 8,
    }
    print("".join(f"{name:>{width}}" for name, width in widths.items()))
    results: dict[tuple[int, str], list[dict[str, float]]] = {
        (size, sdk): [] for size in sizes for sdk in ("no", "yes")
    }
    with credentials_endpoint.running() as (url, requests):
        for _ in range(RUNS):
            for (size, sdk), runs in results.items():
                requests.value = 0
                runs.append(_run_apart(size, sdk, url) | {"requests": requests.value})
    for (size, sdk), runs in results.items():
        middle = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        worst = max(run["stall"] for run in runs)
        print(
            f"{size:>8}{sdk:>6}{middle['requests']:>10.0f}{middle['generations']:>8.0f}{middle['wall'] * 1e3:>9.0f}"
            f"{middle['limit'] * 1e3:>10.0f}{middle['stall'] * 1e3:>10.1f}{worst * 1e3:>8.1f}"
        )


def _run_apart(size: int, sdk: str, url: str) -> dict[str, float]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    done = subprocess.run(  # noqa: S603 - this very module
        [sys.executable, "-m", "benchmarks.cold_storm", "--once", str(size), sdk],
        env=kept | nowhere | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout)
    return result


async def _once(size: int, sdk: str) -> dict[str, float]:
    # Part of the program that is measured, not of its start: an application imports its libraries before it serves.
    import aws_iam_async  # noqa: PLC0415
    from aws_iam_async import drivers  # noqa: PLC0415
    from benchmarks import stubbed_driver  # noqa: PLC0415 - imports asyncpg

    await drivers.load("asyncpg")
    if sdk == "yes":
        import aiobotocore.session  # noqa: F401, PLC0415
    with stubbed_driver.stubbed():
        start = time.perf_counter()
        await asyncio.gather(*(stubbed_driver.connect() for _ in range(size)))
        limit = credentials_endpoint.DELAY + time.perf_counter() - start
        async with aws_iam_async.PluginManager() as manager:
            stalls: list[float] = []
            heart = asyncio.create_task(_beat(stalls))
            await asyncio.sleep(0.02)
            stalls.clear()
            start = time.perf_counter()
            await asyncio.gather(*(manager.connect(**stubbed_driver.KEYWORDS) for _ in range(size)))
            wall = time.perf_counter() - start
            await asyncio.sleep(0.02)
            heart.cancel()
            generations = manager.statistics().generations
    return {"wall": wall, "limit": limit, "stall": max(stalls), "generations": generations}


async def _beat(stalls: list[float]) -> None:
    last = time.perf_counter()
    while True:
        await asyncio.sleep(HEARTBEAT)
        now = time.perf_counter()
        stalls.append(now - last - HEARTBEAT)
        last = now


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[100, 1000])
    parser.add_argument("--once", nargs=2, help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.once is not None:
        print(json.dumps(asyncio.run(_once(int(parsed.once[0]), parsed.once[1]))))
    else:
        main(parsed.sizes)
