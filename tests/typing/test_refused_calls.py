"""Calls that type checkers refuse, each on its own line between some that they accept."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

HEAD = """\
from typing import Any
import aws_iam_async as a

async def calls(manager: a.PluginManager, driver: str, options: dict[str, Any]) -> None:
"""
REFUSED = (
    'a.connect("postgresql://db", iam_regoin="us-east-1")',
    'a.connect("postgresql://db", iamRegion="us-east-1")',
    'a.connect(driver="asyncpg", iam_expiration=60)',
    'a.connect(driver="asyncpg", min_size=1)',
    'a.connect(driver="asyncpg", connect_timeout=1)',
    'a.connect(driver="asyncpg", port=54.32)',
    'a.connect(driver="asyncpg", tenant="acme")',
    'a.connect(driver="aiomysql", timeout=1)',
    'a.connect(driver="aiomysql", host=["a", "b"])',
    'a.create_pool("mysql://db", sslmode="verify_full")',
    'a.create_pool(driver="aiomysql", max_size=1)',
    'manager.create_pool(driver="asyncpg", maxsize=1)',
    'manager.connect(driver="aiomysql", iam_regoin="us-east-1")',
    'manager.connect(driver="psycopg2")',
    "manager.connect(driver=driver)",
    'a.RdsTokenProvider().get_token(host="db", user="app")',
)
ACCEPTED = (
    'a.connect("postgresql://db", iam_region="us-east-1", timeout=5)',
    'a.connect("mysql://db", connect_timeout=5)',
    'a.connect(driver="asyncpg", host=["a", "b"], port=[5432, 5433])',
    'a.create_pool(driver="asyncpg", min_size=1, iam_token_expiration=60)',
    'manager.create_pool(driver="aiomysql", maxsize=1, sslmode="verify-ca")',
    'manager.connect("postgresql://db", **options)',
)
CHECKERS = {
    "mypy": ["mypy", "--no-error-summary", "--hide-error-context"],
    "pyright": ["pyright", "--pythonpath", sys.executable],
    "ty": ["ty", "check", "--output-format", "concise", "--python", sys.prefix],
}


@pytest.mark.parametrize("checker", CHECKERS)
def test_misspelt_and_misplaced_options_are_type_errors(checker: str, tmp_path: Path) -> None:
    calls = [call for pair in zip(REFUSED, ACCEPTED * 3, strict=False) for call in pair]
    program = tmp_path / "calls.py"
    program.write_text(HEAD + "".join(f"    await {call}\n" for call in calls))
    name, *arguments = CHECKERS[checker]
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}  # that there is a newer one
    checked = subprocess.run(
        [Path(sys.executable).with_name(name), *arguments, program],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    first = HEAD.count("\n") + 1
    complaints = {int(line) - first for line in re.findall(r"calls\.py:(\d+).*\berror\b", checked.stdout)}
    assert {calls[line] for line in complaints} == set(REFUSED), checked.stdout + checked.stderr
