"""A user's own test, with nothing but the fixtures that pytest finds by itself."""

import subprocess
import sys
import tempfile
from pathlib import Path

TEST = """
import asyncio

import aws_iam_async


def test_a_service_logs_in(rds_postgres, monkeypatch):
    key = rds_postgres.account.create_access_key()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret_key)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)

    async def user():
        async with aws_iam_async.connect(
            rds_postgres.dsn("app", "shop"), iam_host=rds_postgres.host, sslrootcert=rds_postgres.ca_file
        ) as connection:
            return await connection.fetchval("SELECT current_user")

    assert asyncio.run(user()) == "app"
"""

with tempfile.TemporaryDirectory() as folder:
    Path(folder, "test_service.py").write_text(TEST)
    pytest = [sys.executable, "-I", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    subprocess.run([*pytest, "test_service.py"], cwd=folder, check=True)
