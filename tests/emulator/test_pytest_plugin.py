import subprocess
import sys
from pathlib import Path

SUITE = """
import ssl

import aiomysql
import asyncpg
import botocore.session
import pytest

SEEN = []


def token(emulator, key):
    sdk = botocore.session.Session()
    sdk.set_credentials(key.access_key, key.secret_key)
    client = sdk.create_client("rds", region_name=emulator.region)
    return client.generate_db_auth_token(emulator.host, emulator.port, "app", emulator.region)


def trust(emulator):
    context = ssl.create_default_context(cafile=emulator.ca_file)
    context.check_hostname = False
    return context


@pytest.mark.parametrize("again", [False, True])
async def test_postgres(rds_postgres, rds_account, again):
    assert rds_postgres.account is rds_account
    assert rds_postgres.logins == []
    SEEN.append((rds_postgres, rds_account.create_access_key()))
    emulator, key = SEEN[0]
    assert emulator is rds_postgres
    connection = await asyncpg.connect(
        emulator.dsn("app", "shop"), password=token(emulator, key), ssl=trust(emulator)
    )
    await connection.execute("CREATE TABLE IF NOT EXISTS goods ()")
    await connection.close()
    emulator.faults.reject_next(1000)
    rds_account.revoke(key.access_key)


async def test_mysql(rds_mysql, rds_account):
    key = rds_account.create_access_key()
    connection = await aiomysql.connect(
        host="127.0.0.1",
        port=rds_mysql.port,
        user="app",
        db="shop",
        password=token(rds_mysql, key),
        ssl=trust(rds_mysql),
    )
    async with connection.cursor() as cursor:
        await cursor.execute("CREATE TABLE goods (id int)")
    await connection.ensure_closed()
"""

OPTIONS = [
    *("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
    # aiomysql 0.3 finishes closing in the background, after pytest-asyncio has closed a test's loop.
    *("-W", "error", "-W", "ignore::ResourceWarning"),
]


def _python(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_users_own_suite_has_the_fixtures(tmp_path: Path) -> None:
    (tmp_path / "test_shop.py").write_text(SUITE)
    said = _python("-m", "pytest", "-q", *OPTIONS, cwd=tmp_path)
    assert "3 passed" in said


def test_a_suite_that_does_not_use_them_pays_nothing(tmp_path: Path) -> None:
    said = _python(
        "-c",
        "import sys, pytest; before = set(sys.modules); import aws_iam_async.testing.pytest_plugin;"
        "print(*sorted(set(sys.modules) - before))",
        cwd=tmp_path,
    )
    loaded = {name.split(".")[0] for name in said.split()}
    assert not loaded & {"trustme", "cryptography", "asyncpg", "aiomysql", "pymysql", "botocore", "aiobotocore"}
    testing = {name for name in said.split() if name.startswith("aws_iam_async.testing")}
    assert testing == {"aws_iam_async.testing", "aws_iam_async.testing.pytest_plugin"}
