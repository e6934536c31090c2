"""Run something in a process of its own, which starts with nothing imported, and get its figures."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

Figures = dict[str, float]


def run(module: str, *arguments: str, environment: Mapping[str, str]) -> Figures:
    """Run ``python -m benchmarks.MODULE ARGUMENTS`` and return the figures that it prints as JSON.

    Args:
        module: Which one.
        *arguments: For it.
        environment: The variables about AWS; there are no others, and no files of AWS.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHONDONTWRITE"))}
    nowhere = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    done = subprocess.run(  # noqa: S603 - one of these modules
        [sys.executable, "-m", f"benchmarks.{module}", *arguments],
        env=kept | nowhere | environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures
