"""Runs a benchmark in a new process, in which no module of the benchmark is imported yet."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

Figures = dict[str, float]


def run(module: str, *arguments: str, environment: Mapping[str, str]) -> Figures:
    """Run ``python -m benchmarks.MODULE ARGUMENTS`` and return the figures that it prints as JSON.

    Args:
        module: The name of a module in this package.
        *arguments: The arguments of the program.
        environment: The only AWS variables in the environment of the process. It sees no AWS files otherwise.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHONDONTWRITE"))}
    no_files = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    done = subprocess.run(  # noqa: S603 - a module of this package
        [sys.executable, "-m", f"benchmarks.{module}", *arguments],
        env=kept | no_files | environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures
