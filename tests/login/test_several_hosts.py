"""Several hosts in one DSN: a real primary and its hot standby, each an endpoint with an emulator of its own."""

import asyncio
import functools
import math
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import asyncpg
import psycopg
import psycopg_pool
import pytest

from aws_iam_async import AwsIamError, ConnectRequest, InsecureTransportError, PluginManager
from aws_iam_async.testing import Account, CertificateKind, Emulator, PostgresServer, Reason, Stage
from tests.credentials.conftest import AwsHome
from tests.login.conftest import give_environment, settle

DOMAIN = "c9akciq32.us-east-1.rds.amazonaws.com"


class Standby(PostgresServer):
    """A hot standby that streams from another server."""

    def __init__(self, primary: PostgresServer) -> None:
        super().__init__()
        self._primary = primary

    def initialise(self) -> None:
        options = ["--username=postgres", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        self.binaries = self.find_binaries()
        program = str(self.binaries / "pg_basebackup")
        places = [f"--host={self._primary.directory}", f"--pgdata={self.directory / 'data'}"]
        self.run_program([program, *places, *options])

    def is_ready(self) -> bool:
        log = self.directory / "log"
        return log.exists() and "ready to accept read-only connections" in log.read_text()


@dataclass
class Cluster:
    """Both endpoints, by their RDS names, which lead to 127.0.0.1 while a test runs."""

    primary: Emulator
    standby: Emulator
    trust: Path
    driver: str = "asyncpg"

    @property
    def both(self) -> tuple[Emulator, Emulator]:
        return self.primary, self.standby

    def dsn(self, *hosts: Emulator | str) -> str:
        places = [host if isinstance(host, str) else f"{host.host}:{host.port}" for host in hosts]
        return f"postgresql+{self.driver}://app@{','.join(places)}/shop?sslrootcert={self.trust}"

    def logins(self) -> tuple[list[bool], list[bool]]:
        """Whether each login was accepted, at the primary and at the standby."""
        primary, standby = ([login.accepted for login in emulator.logins] for emulator in self.both)
        return primary, standby


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    account = Account()
    with ExitStack() as stack:
        one = stack.enter_context(PostgresServer())
        one.create_user("app")
        one.create_database("shop", owner="app")
        two = stack.enter_context(Standby(one))
        primary = stack.enter_context(Emulator(one, host=f"one.{DOMAIN}", account=account))
        standby = stack.enter_context(Emulator(two, host=f"two.{DOMAIN}", account=account))
        trust = tmp_path_factory.mktemp("cluster") / "trust.pem"
        trust.write_bytes(primary.ca_file.read_bytes() + standby.ca_file.read_bytes())
        yield Cluster(primary, standby, trust)


@pytest.fixture(params=["asyncpg", "psycopg"])
def cluster(
    request: pytest.FixtureRequest, servers: Cluster, aws_home: AwsHome, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    servers.driver = request.param
    give_environment(aws_home, servers.primary.account.create_access_key())
    real = socket.getaddrinfo
    names = {emulator.host for emulator in servers.both} | {f"down.{DOMAIN}"}

    def getaddrinfo(host: Any, *args: Any, **keywords: Any) -> Any:
        if str(host).endswith(DOMAIN) and host not in names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real("127.0.0.1" if host in names else host, *args, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield servers
    for emulator in servers.both:
        emulator.reset()
        emulator.cut_connections()
        emulator.wait_for_connections(0)


async def in_recovery(opened: Any) -> bool:
    """Whether a connection, or one of a pool, leads to the standby."""
    query = "SELECT pg_is_in_recovery()"
    if isinstance(opened, psycopg_pool.AsyncConnectionPool):
        async with opened.connection() as connection:
            return await in_recovery(connection)
    if isinstance(opened, psycopg.AsyncConnection):
        return bool((await (await opened.execute(query)).fetchone() or [None])[0])
    return bool(await opened.fetchval(query))


@pytest.fixture
async def manager() -> Any:
    async with PluginManager() as manager:
        yield manager


async def test_the_first_that_answers_is_taken(cluster: Cluster, manager: PluginManager) -> None:
    async with manager.connect(cluster.dsn(*cluster.both)) as connection:
        assert not await in_recovery(connection)
    async with manager.connect(cluster.dsn(*reversed(cluster.both))) as connection:
        assert await in_recovery(connection)
    assert cluster.logins() == ([True], [True])


@pytest.mark.parametrize("down", [f"down.{DOMAIN}:1", f"unknown.{DOMAIN}:5432"], ids=["refused", "unresolved"])
async def test_a_host_that_cannot_be_reached_is_skipped(cluster: Cluster, manager: PluginManager, down: str) -> None:
    async with manager.connect(cluster.dsn(down, cluster.primary)) as connection:
        assert not await in_recovery(connection)
    assert manager.statistics().generations == 2  # each has a token of its own
    assert cluster.logins() == ([True], [])


async def test_none_reached_is_the_last_ones_error(cluster: Cluster, manager: PluginManager) -> None:
    with pytest.raises((socket.gaierror, psycopg.OperationalError), match="not known"):
        await manager.connect(cluster.dsn(f"down.{DOMAIN}:1", f"unknown.{DOMAIN}:5432"))


async def test_a_host_without_an_address_is_named(cluster: Cluster, manager: PluginManager) -> None:
    host = f"unknown.{DOMAIN}"
    with pytest.raises((socket.gaierror, psycopg.OperationalError), match="not known") as failed:
        await manager.connect(cluster.dsn(f"{host}:5432"))
    assert host in "\n".join([str(failed.value), *getattr(failed.value, "__notes__", ())])


@pytest.mark.parametrize(
    ("wanted", "standby"),
    [
        ("any", False),
        ("primary", False),
        ("read-write", False),
        ("standby", True),
        ("read-only", True),
        ("prefer-standby", True),
    ],
)
@pytest.mark.parametrize("way", ["keyword", "DSN", "environment"])
async def test_target_session_attrs(
    cluster: Cluster, manager: PluginManager, monkeypatch: pytest.MonkeyPatch, wanted: str, way: str, *, standby: bool
) -> None:
    dsn = cluster.dsn(*cluster.both)
    options: dict[str, Any] = {}
    if way == "keyword":
        options["target_session_attrs"] = wanted
    elif way == "DSN":
        dsn += f"&target_session_attrs={wanted}"
    else:
        monkeypatch.setenv("PGTARGETSESSIONATTRS", wanted)
    async with manager.connect(dsn, **options) as connection:
        assert await in_recovery(connection) is standby
    assert cluster.logins() == ([True], [True] if standby else [])
    assert manager.statistics().generations == 1 + standby


async def test_order_does_not_matter_to_who_wants_a_kind(cluster: Cluster, manager: PluginManager) -> None:
    async with manager.connect(cluster.dsn(*reversed(cluster.both)), target_session_attrs="primary") as connection:
        assert not await in_recovery(connection)
        await asyncio.to_thread(cluster.standby.wait_for_connections, 0)  # it was let go again


async def test_prefer_standby_takes_a_primary_for_want_of_one(cluster: Cluster, manager: PluginManager) -> None:
    dsn = cluster.dsn(f"down.{DOMAIN}:1", cluster.primary)
    async with manager.connect(dsn, target_session_attrs="prefer-standby") as connection:
        assert not await in_recovery(connection)


async def test_no_standby_is_the_drivers_error(cluster: Cluster, manager: PluginManager) -> None:
    with pytest.raises((asyncpg.TargetServerAttributeNotMatched, psycopg.OperationalError)):
        await manager.connect(cluster.dsn(cluster.primary, cluster.primary), target_session_attrs="standby")


async def test_an_unreachable_host_says_more_than_an_unsuitable_one(cluster: Cluster, manager: PluginManager) -> None:
    with pytest.raises((ConnectionRefusedError, psycopg.OperationalError), match=r"refused|Connect call failed"):
        await manager.connect(cluster.dsn(cluster.primary, f"down.{DOMAIN}:1"), target_session_attrs="standby")


@pytest.mark.parametrize("wanted", ["any", "prefer-standby"])
async def test_a_rejected_login_is_not_hidden_by_the_next_host(
    cluster: Cluster, manager: PluginManager, wanted: Literal["any", "prefer-standby"]
) -> None:
    cluster.standby.faults.reject_next(10)
    with pytest.raises((asyncpg.InvalidAuthorizationSpecificationError, psycopg.OperationalError)) as caught:
        await manager.connect(cluster.dsn(cluster.standby, cluster.primary), target_session_attrs=wanted)
    assert f"at {cluster.standby.host}:{cluster.standby.port}" in "".join(caught.value.__notes__)
    assert cluster.logins() == ([], [False])


async def test_a_host_without_tls_is_not_hidden_by_the_next_one(cluster: Cluster, manager: PluginManager) -> None:
    cluster.primary.faults.offer_tls = False
    with pytest.raises(InsecureTransportError, match=cluster.primary.host):
        await manager.connect(cluster.dsn(*cluster.both))
    assert cluster.logins() == ([], [])


async def test_a_host_that_cannot_prove_who_it_is_gets_no_token(cluster: Cluster, manager: PluginManager) -> None:
    """And is one that cannot be reached, as for libpq and asyncpg."""
    cluster.primary.faults.certificate = CertificateKind.OTHER_HOST
    async with manager.connect(cluster.dsn(*cluster.both)) as connection:
        assert await in_recovery(connection)
    assert cluster.logins() == ([], [True])


async def test_no_host_sees_anothers_token(cluster: Cluster, manager: PluginManager) -> None:
    for _ in range(2):
        async with manager.connect(cluster.dsn(*cluster.both), target_session_attrs="standby"):
            pass
    assert cluster.logins() == ([True, True], [True, True])
    assert not any(login.reason is Reason.WRONG_HOST for emulator in cluster.both for login in emulator.logins)
    assert manager.statistics().generations == 2


async def test_the_time_out_is_for_all_of_them_together(cluster: Cluster, manager: PluginManager) -> None:
    for emulator in cluster.both:
        emulator.faults.delay(Stage.ACCEPTED, math.inf)
    tasks = asyncio.all_tasks()
    limit = {"asyncpg": "timeout", "psycopg": "connect_timeout"}[cluster.driver]
    options: dict[str, Any] = {limit: 0.3}
    with pytest.raises((TimeoutError, psycopg.errors.ConnectionTimeout)):
        await manager.connect(cluster.dsn(*cluster.both), **options)
    await settle()
    assert asyncio.all_tasks() == tasks


async def test_a_pool_goes_on_with_the_next_host(cluster: Cluster, manager: PluginManager) -> None:
    async with manager.create_pool(cluster.dsn(*cluster.both), min_size=1, max_size=2) as pool:
        assert not await in_recovery(pool)
        cluster.primary.faults.cut(Stage.ACCEPTED, times=100)
        await (pool.expire_connections() if cluster.driver == "asyncpg" else pool.drain())
        assert await in_recovery(pool)


@pytest.mark.parametrize("way", ["connect", "pool"])
async def test_several_ways_to_one_endpoint(cluster: Cluster, manager: PluginManager, way: str) -> None:
    """Such as two bastions: one name to sign for and to verify, wherever it is reached."""
    port = cluster.primary.port
    dsn = cluster.dsn("127.0.0.1:1", f"127.0.0.1:{cluster.standby.port}", f"127.0.0.1:{port}")
    options: dict[str, Any] = {"iam_host": cluster.primary.host, "iam_default_port": port}
    opening: Any = manager.connect if way == "connect" else functools.partial(manager.create_pool, min_size=1)
    async with opening(dsn, **options) as opened:
        assert not await in_recovery(opened)
    assert cluster.logins() == ([True], [])  # the other one has another name, and got no token
    assert manager.statistics().generations == 1


async def test_a_manager_closed_meanwhile_dials_no_further_host() -> None:
    dialled: list[str | None] = []

    class CloseIt:
        async def connect(self, request: ConnectRequest, _call_next: object) -> Any:
            dialled.append(request.host)
            await closing.aclose()
            raise ConnectionRefusedError("down")

    closing = PluginManager([CloseIt()])
    with pytest.raises(AwsIamError, match="closed"):
        await closing.connect("postgresql://app@one.example,two.example/shop")
    assert dialled == ["one.example"]
