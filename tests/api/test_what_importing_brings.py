"""What ``import aws_iam_async`` imports: everyone pays for it at each start."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SDK = ("aiobotocore", "botocore", "boto3", "aiohttp")
DRIVERS = ("asyncpg", "aiomysql", "pymysql", "psycopg", "psycopg_pool")
EXTRAS = ("opentelemetry", "click", "rich", "sqlalchemy")
# 10 ms on its own: entry points are looked up for the name of a plugin or a driver that is not built in.
SLOW = ("importlib.metadata",)


def brought_by(statement: str) -> set[str]:
    program = f"import asyncio, sys; before = {{*sys.modules}}; {statement}; print(*({{*sys.modules}} - before))"
    command = [sys.executable, "-c", program]
    return {*subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout.split()}


@pytest.mark.parametrize("heavy", [*SDK, *DRIVERS, *EXTRAS, *SLOW])
def test_importing_the_package_does_not_import(heavy: str, brought: set[str]) -> None:
    assert [name for name in brought if name == heavy or name.startswith(f"{heavy}.")] == []


@pytest.fixture(scope="module")
def brought() -> set[str]:
    modules = brought_by("import aws_iam_async")
    assert "aws_iam_async.api" in modules  # or the check would see nothing
    return modules
