"""What importing costs, over ``import asyncio``, in a fresh process each."""

import asyncio  # noqa: F401 - here already when the clock starts
import importlib
import json
import sys
import time

from benchmarks import fresh_process
from benchmarks.line import Line, Spread, Target

RUNS = 21
SUBJECTS = {
    "asyncpg": "asyncpg",
    "this package": "aws_iam_async",
    "aiobotocore": "aiobotocore.session",
    "AWS wrapper": "aws_advanced_python_wrapper.aio.wrapper",
}


def measure() -> list[Line]:
    """Measure."""
    runs: dict[str, list[float]] = {subject: [] for subject in SUBJECTS}
    for _ in range(RUNS + 1):
        for subject, several in runs.items():
            several.append(fresh_process.run("imports", SUBJECTS[subject], environment={})["spent"])
    # The first of each may have compiled what it imports.
    spreads = {subject: Spread.of(several[1:]) for subject, several in runs.items()}
    return [Line("import", "ms of processor time", spreads, [Target("ms", spreads["this package"].median, 15)])]


if __name__ == "__main__":
    start = time.process_time()
    importlib.import_module(sys.argv[1])
    print(json.dumps({"spent": (time.process_time() - start) * 1e3}))
