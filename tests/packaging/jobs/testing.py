"""A user's own test, with nothing but the fixtures that pytest finds by itself."""

import subprocess
import sys
import tempfile
from pathlib import Path

TEST = """
import asyncio

import aws_iam_async


def test_a_service_logs_in(rds_postgres):
    async def user():
        async with aws_iam_async.connect(rds_postgres.dsn("app", "shop"), **rds_postgres.options) as connection:
            return await connection.fetchval("SELECT current_user")

    assert asyncio.run(user()) == "app"
"""

with tempfile.TemporaryDirectory() as folder:
    Path(folder, "test_service.py").write_text(TEST)
    pytest = [sys.executable, "-I", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    subprocess.run([*pytest, "test_service.py"], cwd=folder, check=True)
