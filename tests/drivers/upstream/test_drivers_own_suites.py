"""The drivers' own tests of pools and connections pass against what this package hands out.

They come from the source distribution of the installed version, run as they are, and log in with IAM through the
emulator.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from aws_iam_async.testing import Account, Emulator, MariadbServer, PostgresServer
from tests.drivers.upstream.suite import Outcome, Suite, fetch, run, unknown

pytestmark = pytest.mark.long

PLAINTEXT_SERVER = "is about a server without TLS; the emulator has it"
OWN_SERVER = "configures and restarts a server of its own"
OWN_CONNECT = "calls asyncpg's own functions, without a token"
UNAWAITED = "uses the pool object before it is awaited; ours is made then"
REFUSED = "read_default_file is refused: it would replace the host that was signed for, and the token"

ASYNCPG = Suite(
    driver="asyncpg",
    files=["test_pool.py", "test_adversity.py", "test_connect.py", "test_listeners.py"],
    plugin="asyncpg_through_iam",
    left_out={
        "test_connect.py::TestAuthentication": OWN_SERVER,
        "test_connect.py::TestClientSSLConnection": OWN_SERVER,
        "test_connect.py::TestConnectParams": "is about asyncpg's own reading of options; tests/options is about ours",
        "test_connect.py::TestConnection::test_connection_implicit_host": OWN_CONNECT,
        "test_connect.py::TestConnection::test_connection_no_home_dir": PLAINTEXT_SERVER,
        "test_connect.py::TestConnection::test_connection_ssl_to_no_ssl_server": PLAINTEXT_SERVER,
        "test_connect.py::TestConnection::test_connection_sslmode_no_ssl_server": PLAINTEXT_SERVER,
        "test_connect.py::TestConnectionAttributes": OWN_SERVER,
        "test_connect.py::TestConnectionGC": "holds without TLS only; plain asyncpg 0.32 fails it over TLS as well",
        "test_connect.py::TestGssAuthentication": OWN_SERVER,
        "test_connect.py::TestNoSSLConnection": OWN_SERVER,
        "test_connect.py::TestSSLConnection": OWN_SERVER,
        "test_connect.py::TestSspiAuthentication": OWN_SERVER,
        "test_pool.py::TestHotStandby": OWN_SERVER,
        "test_pool.py::TestPool::test_pool_07": "passes connect=, which is refused here, and counts its calls",
        "test_pool.py::TestPool::test_pool_auth": OWN_SERVER,
        "test_pool.py::TestPool::test_pool_gc_does_not_restore_min_size": OWN_CONNECT,
        "test_pool.py::TestPool::test_pool_implicit_init_size": OWN_CONNECT,
        "test_pool.py::TestPool::test_pool_init_and_use_race": UNAWAITED,
        "test_pool.py::TestPool::test_pool_init_race": UNAWAITED,
        "test_pool.py::TestPool::test_pool_shutdown_cleans_idle_connections": OWN_CONNECT,
        "test_pool.py::TestPoolReconnectWithTargetSessionAttrs": OWN_SERVER,
    },
)
AIOMYSQL = Suite(
    driver="aiomysql",
    files=["test_pool.py", "test_connection.py"],
    plugin="aiomysql_through_iam",
    left_out={
        "test_connection.py::test_config_file": REFUSED,
        "test_connection.py::test_config_file_with_different_group": REFUSED,
    },
)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Outcome]]]:
    """Both suites at once, since they sleep most of the time, each on a server of its own."""
    folder = tmp_path_factory.mktemp("suites")
    with ThreadPoolExecutor() as threads:
        yield {
            "asyncpg": threads.submit(run_asyncpg, folder / "asyncpg"),
            "aiomysql": threads.submit(run_aiomysql, folder / "aiomysql"),
        }


def run_asyncpg(folder: Path) -> Outcome:
    source = fetch("asyncpg", folder)
    assert unknown(ASYNCPG, source) == []
    with PostgresServer() as server, Emulator(server) as emulator:
        environment = {"PGUSER": "postgres", "PGDATABASE": "postgres"}
        return run(ASYNCPG, source, environment=environment | said_of(emulator))


def run_aiomysql(folder: Path) -> Outcome:
    source = fetch("aiomysql", folder)
    assert unknown(AIOMYSQL, source) == []
    with MariadbServer() as server, Emulator(server) as emulator:
        server.create_user("app")
        server.execute("GRANT ALL ON *.* TO app@'%'")
        for name in ("test_pymysql", "test_pymysql2"):
            server.execute(f"CREATE DATABASE {name} DEFAULT CHARACTER SET utf8")
        return run(AIOMYSQL, source, environment=said_of(emulator))


def said_of(emulator: Emulator) -> dict[str, str]:
    account: Account = emulator.account
    key = account.create_access_key()
    return {
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
        "EMULATOR_ADDRESS": emulator.dial_host,
        "EMULATOR_PORT": str(emulator.port),
        "EMULATOR_HOST": emulator.host,
        "EMULATOR_CA": str(emulator.ca_file),
    }


@pytest.mark.parametrize(
    ("driver", "least", "skipped"),
    [
        ("asyncpg", 70, {}),
        ("aiomysql", 100, {"Not implemented": 2, "Set max_allowed_packet to bigger than 17MB": 2}),
    ],
)
def test_its_own_tests_pass(
    outcomes: dict[str, Future[Outcome]], driver: str, least: int, skipped: dict[str, int]
) -> None:
    outcome = outcomes[driver].result()
    assert outcome.counts["failed"] == 0, outcome.output
    assert outcome.counts["passed"] >= least, outcome.output
    assert outcome.skipped == skipped
