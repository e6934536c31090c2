"""Measures the time to the first token in a fresh process with a running event loop.

The credentials are in a file, which needs the SDK, or in the environment, as on Lambda. The figures are the total time
and the longest time for which the event loop was blocked. Modules that an application imports before it serves requests
are imported before the clock starts. ``imports.py`` measures these. Imports in a thread are part of the measured time.
There is no network traffic.
"""

import asyncio
import importlib
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks import fresh_process, heartbeat
from benchmarks.line import Line, Spread, Target

RUNS = 5
HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
FILE = "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = example\n"
OURS, THREAD = "this package", "SDK in a thread"
BOTO3, CLIENT, WRAPPER = "boto3 in a thread", "aiobotocore client", "AWS wrapper"


def measure() -> list[Line]:
    """Run the benchmark with both places for credentials."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "credentials"
        file.write_text(FILE, encoding="utf-8")
        from_file = _runs((THREAD, OURS, BOTO3, CLIENT, WRAPPER), {"AWS_SHARED_CREDENTIALS_FILE": str(file)})
        from_environment = _runs((OURS, BOTO3, CLIENT, WRAPPER), ENVIRONMENT)
    file_totals, file_stalls = _spreads(from_file, "total"), _spreads(from_file, "stall")
    totals, stalls = _spreads(from_environment, "total"), _spreads(from_environment, "stall")
    sdk = {"aiobotocore imported, this package": max(run["sdk"] for run in from_environment[OURS])}
    return [
        Line("cold start", "ms to the first token", file_totals,
             [Target("of the SDK in a thread", file_totals[OURS].median / file_totals[THREAD].median, 1.25)]),
        Line("cold start: the loop", "ms held at most", file_stalls, [Target("ms", file_stalls[OURS].median, 20)]),
        Line("credentials in the environment", "ms to the first token", totals,
             [Target("ms", totals[OURS].median, 25)], sdk),
        Line("credentials in the environment: the loop", "ms held at most", stalls),
    ]  # fmt: skip


def _runs(subjects: tuple[str, ...], environment: dict[str, str]) -> dict[str, list[fresh_process.Figures]]:
    runs: dict[str, list[fresh_process.Figures]] = {subject: [] for subject in subjects}
    for _ in range(RUNS + 1):
        for subject, several in runs.items():
            several.append(fresh_process.run("cold_start", subject, environment=environment))
    # Leave out the first run of each subject, because it may have compiled modules.
    return {subject: several[1:] for subject, several in runs.items()}


def _spreads(runs: dict[str, list[fresh_process.Figures]], figure: str) -> dict[str, Spread]:
    return {subject: Spread.of([run[figure] for run in several]) for subject, several in runs.items()}


async def _once(subject: str) -> fresh_process.Figures:
    if (module := IMPORTED_BEFORE.get(subject)) is not None:
        importlib.import_module(module)
    async with heartbeat.delays() as late:
        start = time.perf_counter()
        await SUBJECTS[subject]()
        total = time.perf_counter() - start
    return {"total": total * 1e3, "stall": max(late) * 1e3, "sdk": "aiobotocore" in sys.modules}


async def _ours() -> Any:
    import aws_iam_async  # noqa: PLC0415 - each subject runs in its own process

    return await aws_iam_async.RdsTokenProvider().get_token(host=HOST, port=5432, user="app")


async def _in_a_thread() -> Any:
    """Import the SDK and read the credentials: the least that is needed to use a credentials file."""

    def read() -> Any:
        from aiobotocore.session import get_session  # noqa: PLC0415 - each subject runs in its own process

        return asyncio.run(get_session().get_credentials())

    return await asyncio.to_thread(read)


async def _boto3() -> Any:
    def sign() -> Any:
        import boto3  # noqa: PLC0415 - each subject runs in its own process

        return boto3.client("rds", region_name="us-east-1").generate_db_auth_token(HOST, 5432, "app")

    return await asyncio.to_thread(sign)


async def _client() -> Any:
    from aiobotocore.session import get_session  # noqa: PLC0415 - each subject runs in its own process

    async with get_session().create_client("rds", region_name="us-east-1") as client:
        return await client.generate_db_auth_token(HOST, 5432, "app")


async def _wrapper() -> Any:
    from benchmarks import peers  # noqa: PLC0415 - each subject runs in its own process

    return await peers.aws_wrapper()()


SUBJECTS: dict[str, Callable[[], Awaitable[Any]]] = {
    OURS: _ours, THREAD: _in_a_thread, BOTO3: _boto3, CLIENT: _client, WRAPPER: _wrapper,
}  # fmt: skip
IMPORTED_BEFORE = {
    OURS: "aws_iam_async",
    CLIENT: "aiobotocore.session",
    WRAPPER: "aws_advanced_python_wrapper.aio.wrapper",
}

if __name__ == "__main__":
    print(json.dumps(asyncio.run(_once(sys.argv[1]))))
