"""What ``import aws_iam_async`` imports beside itself and asyncio: each module is time at every start."""

import subprocess
import sys

# Pure Python, and not there already after ``import asyncio``; what is written in C costs little.
BROUGHT = {"_compat_pickle", "copy", "dataclasses", "datetime", "hashlib", "hmac", "_strptime"}


def test_it_brings_little() -> None:
    program = "import asyncio, sys; before = {*sys.modules}; import aws_iam_async; print(*({*sys.modules} - before))"
    ran = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=60)
    brought = {name.partition(".")[0] for name in ran.stdout.split()} - set(sys.builtin_module_names)
    python = {name for name in brought if not name.startswith("_")} - {"aws_iam_async"}
    assert python <= BROUGHT
    assert len([name for name in ran.stdout.split() if name.startswith("aws_iam_async")]) > 1
