"""Measures the processor time of imports, without that of ``import asyncio``. Each import runs in a fresh process."""

import asyncio  # noqa: F401 - imported before the clock starts
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
    """Run the benchmark."""
    runs: dict[str, list[float]] = {subject: [] for subject in SUBJECTS}
    for _ in range(RUNS + 1):
        for subject, several in runs.items():
            several.append(fresh_process.run("imports", SUBJECTS[subject], environment={})["spent"])
    # Leave out the first run of each subject, because it may have compiled modules.
    spreads = {subject: Spread.of(several[1:]) for subject, several in runs.items()}
    return [Line("import", "ms of processor time", spreads, [Target("ms", spreads["this package"].median, 15)])]


if __name__ == "__main__":
    start = time.process_time()
    importlib.import_module(sys.argv[1])
    print(json.dumps({"spent": (time.process_time() - start) * 1e3}))
