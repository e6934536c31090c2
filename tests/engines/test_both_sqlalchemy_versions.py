"""The tests of this folder hold for SQLAlchemy 2.1, which is installed, and for 2.0, which is got for this test."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

HERE = Path(__file__)
ROOT = HERE.parents[2]
SECONDS = 240


def python(*arguments: str, folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-10_000:]
    return done.stdout


@pytest.mark.timeout(2 * SECONDS)
def test_all_of_it_with_the_older_version(tmp_path: Path) -> None:
    assert version("sqlalchemy").startswith("2.1.")
    pip = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-compile")
    python(*pip, f"--target={tmp_path}", "sqlalchemy>=2.0,<2.1", folder=tmp_path)
    assert python("-c", "import sqlalchemy; print(sqlalchemy.__version__)", folder=tmp_path).startswith("2.0.")
    said = python("-m", "pytest", "-q", "-p", "no:cacheprovider", f"--ignore={HERE}", str(HERE.parent), folder=tmp_path)
    assert " passed" in said.splitlines()[-1]
