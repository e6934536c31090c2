"""A driver of another distribution, found by the entry-point group ``aws_iam_async.drivers``."""

import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = """
from types import MappingProxyType

NONE = MappingProxyType({})

class Connection:
    def __init__(self, request):
        self.request = request

class ToyDriver:
    name, system, default_port, alpn = "toydb", "toysql", 4444, None
    connect_options = frozenset({"timeout", "colour"})
    pool_options = query_options = frozenset()
    query_has_settings = False
    setting = ""
    time_limit, default_time_limit = "timeout", 5.0
    aliases = refused = variables = NONE
    unreachable = unsuitable = ()

    def read_query(self, query):
        return dict(query)

    def check(self, request):
        pass

    def login_rejected(self, error):
        return False

    def candidates(self, request):
        return (request,)

    async def connect(self, request, *, reconnect):
        return Connection(request)

    def abort(self, connection):
        pass

    def timeout_error(self, request, seconds):
        return TimeoutError()

    async def create_pool(self, request, options, connect, watch):
        return [await connect()]

    async def close(self, connection, *, failed):
        print("closed", failed)

    async def close_pool(self, pool, *, failed):
        print("pool closed")
"""
PROGRAM = """
import asyncio
import aws_iam_async

class Secret:
    async def connect(self, request, call_next):
        return await call_next(request.replace(password="s3cret"))

async def main():
    async with aws_iam_async.connect("toysql+toydb://app@db/shop", colour="red", plugins=[Secret()]) as connection:
        request = connection.request
        print(request.host, request.port, request.user, request.password, dict(request.driver_options))
    async with aws_iam_async.create_pool(driver="toydb", host="db", plugins="") as pool:
        print(len(pool))
    try:
        await aws_iam_async.connect(driver="toydb", host="db", size=1, plugins="")
    except aws_iam_async.ConfigurationError as error:
        print(error)

asyncio.run(main())
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with an installed distribution."""
    (tmp_path / "toydb_iam.py").write_text(DRIVER)
    info = tmp_path / "toydb_iam-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toydb-iam\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[aws_iam_async.drivers]\ntoydb = toydb_iam:ToyDriver\n")
    return tmp_path


def test_it_connects_through_the_plugins(site: Path) -> None:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(site)!r})\n{PROGRAM}"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout.splitlines() == [
        "db 4444 app s3cret {'colour': 'red'}",
        "closed False",
        "1",
        "pool closed",
        "unknown option 'size' for driver toydb with plugins ''",
    ], ran.stderr


def test_an_unknown_driver_names_those_that_are_installed(site: Path) -> None:
    program = "import asyncio, aws_iam_async; asyncio.run(aws_iam_async.connect(driver='oracledb', host='db'))"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(site)!r})\n{program}"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "unknown driver 'oracledb'; available: asyncpg, aiomysql, psycopg, toydb" in ran.stderr
