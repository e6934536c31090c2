"""What ``import aws_iam_async`` imports beside itself and asyncio: each module is time at every start."""

import subprocess
import sys


def test_it_brings_nothing_but_itself() -> None:
    program = "import asyncio, sys; before = {*sys.modules}; import aws_iam_async; print(*({*sys.modules} - before))"
    ran = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=60)
    brought = ran.stdout.split()
    assert len([name for name in brought if name.startswith("aws_iam_async")]) > 1
    # What is written in C costs little.
    other = {name for name in brought if not name.startswith("aws_iam_async")} - set(sys.builtin_module_names)
    assert {name for name in other if not name.startswith("_")} == set()
