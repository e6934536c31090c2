"""``iam_host="auto"``: a domain of one's own is looked up, and the endpoint behind it is signed for and verified."""

import asyncio
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
import uvloop

import aws_iam_async
from aws_iam_async import ConfigurationError, PluginManager
from aws_iam_async.testing import CertificateKind
from tests.login.conftest import Rds

DOMAIN = "db.example.com"
GLOBAL = "shop.global-c9akciq32.global.rds.amazonaws.com"
NOBODY = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@dataclass
class Resolver:
    """Answers instead of the system's: every name it knows is at 127.0.0.1.

    Attributes:
        canonical: The canonical names by name.
        questions: The names that were looked up.
        threads: The threads that looked them up.
    """

    canonical: dict[str, str]
    questions: list[str] = field(default_factory=list)
    threads: set[threading.Thread] = field(default_factory=set)

    def getaddrinfo(self, host: Any, port: Any, *_: Any, flags: int = 0, **__: Any) -> list[Any]:
        self.threads.add(threading.current_thread())
        name = self.canonical.get(host)
        if name is None:
            raise NOBODY
        if flags & socket.AI_CANONNAME:
            self.questions.append(host)
        else:
            name = ""
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, name, ("127.0.0.1", port or 0))]


@pytest.fixture
def resolver(rds: Rds, monkeypatch: pytest.MonkeyPatch) -> Resolver:
    endpoint = rds.emulator.host
    resolver = Resolver({DOMAIN: endpoint, endpoint: endpoint})

    def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> list[Any]:  # noqa: A002 - the name that it has there
        return resolver.getaddrinfo(host, port, family, type, proto, flags=flags)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return resolver


def looked_up(rds: Rds, host: str = DOMAIN, **options: Any) -> Any:
    return rds.connect(host=host, **{"iam_host": "auto", **options})


async def test_the_endpoint_behind_it_is_signed_for_and_verified(rds: Rds, resolver: Resolver) -> None:
    async with looked_up(rds) as connection:
        assert await rds.value(connection, "SELECT 1") == 1
    assert [login.accepted for login in rds.emulator.logins] == [True]
    assert resolver.questions == [DOMAIN]
    assert threading.current_thread() not in resolver.threads


async def test_it_may_stand_in_the_dsn(rds: Rds, resolver: Resolver) -> None:
    dsn = rds.dsn.replace("127.0.0.1", DOMAIN)
    async with aws_iam_async.connect(f"{dsn}?iam_host=auto", sslrootcert=rds.emulator.ca_file) as connection:
        assert await rds.value(connection, "SELECT 1") == 1
    assert resolver.questions == [DOMAIN]


async def test_whoever_rules_the_resolver_still_needs_the_endpoints_certificate(rds: Rds, resolver: Resolver) -> None:
    rds.emulator.faults.certificate = CertificateKind.OTHER_HOST
    with pytest.raises(Exception, match=r"Hostname mismatch|does not match host name") as caught:
        await looked_up(rds)
    if rds.driver != "psycopg":  # its libpq has no errors of the ssl module
        cause = caught.value if rds.driver == "asyncpg" else caught.value.__cause__
        assert isinstance(cause, ssl.SSLCertVerificationError)
    assert rds.emulator.logins == []
    assert resolver.questions == [DOMAIN]


async def test_a_global_databases_region_is_that_of_its_canonical_name(rds: Rds, resolver: Resolver) -> None:
    resolver.canonical[GLOBAL] = rds.emulator.host
    async with looked_up(rds, GLOBAL) as connection:
        assert await rds.value(connection, "SELECT 1") == 1
    assert resolver.questions == [GLOBAL]


async def test_every_physical_connection_looks_it_up_again(rds: Rds, resolver: Resolver) -> None:
    async with PluginManager() as manager:
        options = {**rds.options, "host": DOMAIN, "iam_host": "auto"}
        async with manager.create_pool(rds.dsn, **options, **rds.sizes(0, 2)) as pool, rds.acquired(pool, 2):
            assert len(resolver.questions) == 3  # the pool itself asked, too
            assert manager.statistics().generations == 1
        resolver.canonical[DOMAIN] = "other.c9akciq32.us-east-1.rds.amazonaws.com"
        with pytest.raises((OSError, rds.refusal)):
            await manager.connect(rds.dsn, **options)
        assert manager.statistics().generations == 2


async def test_an_endpoint_that_says_its_region_is_not_looked_up(rds: Rds, resolver: Resolver) -> None:
    async with looked_up(rds, rds.emulator.host) as connection:
        assert await rds.value(connection, "SELECT 1") == 1
    assert resolver.questions == []


async def test_nothing_is_looked_up_unless_asked_for(rds: Rds, resolver: Resolver) -> None:
    for iam_host in (None, "AUTO"):
        with pytest.raises(ConfigurationError):
            await looked_up(rds, iam_host=iam_host)
    assert resolver.threads == set()


@pytest.mark.parametrize(
    "found",
    [
        "ec2-203-0-113-7.compute-1.amazonaws.com",
        "shop.c9akciq32.us-east-1.rds.amazonaws.com.evil.example",
        DOMAIN,
        GLOBAL,
        "",
    ],
)
async def test_what_is_found_has_to_be_an_endpoint(rds: Rds, resolver: Resolver, found: str) -> None:
    resolver.canonical[DOMAIN] = found
    for opening in (looked_up(rds), rds.create_pool(0, 1, host=DOMAIN, iam_host="auto")):
        with pytest.raises(ConfigurationError, match="pass iam_host=") as caught:
            await opening
        assert repr(DOMAIN) in str(caught.value)
        assert repr(found) in str(caught.value)
    assert rds.emulator.connections == 0


@pytest.mark.parametrize("host", ["10.0.0.7", "::1", "fe80::1%eth0", "/var/run/postgresql"])
async def test_what_is_no_name_is_not_looked_up(rds: Rds, resolver: Resolver, host: str) -> None:
    with pytest.raises(ConfigurationError, match="host"):
        await looked_up(rds, host)
    assert resolver.threads == set()


async def test_a_resolver_that_fails_is_told_by_the_connect(rds: Rds, resolver: Resolver) -> None:
    del resolver.canonical[DOMAIN]
    with pytest.raises(socket.gaierror):
        await looked_up(rds)
    options = {"host": DOMAIN, "iam_host": "auto"}
    async with rds.create_pool(0, 1, **options) as pool:  # which may live to see it work
        resolver.canonical[DOMAIN] = rds.emulator.host
        async with rds.acquired(pool, 1) as (connection,):
            assert await rds.value(connection, "SELECT 1") == 1


@pytest.mark.parametrize("rds", ["asyncpg"], indirect=True)
async def test_several_domains_each_have_their_endpoint(rds: Rds, resolver: Resolver) -> None:
    resolver.canonical["replica.example.com"] = "replica.c9akciq32.us-east-1.rds.amazonaws.com"  # which is nowhere
    port = rds.emulator.port
    dsn = f"postgresql://app@replica.example.com:{port},{DOMAIN}:{port}/shop?iam_host=auto"
    async with aws_iam_async.create_pool(dsn, sslrootcert=rds.emulator.ca_file, min_size=1) as pool:
        assert await pool.fetchval("SELECT 1") == 1
    assert resolver.questions == ["replica.example.com", DOMAIN] * 2


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("driver", ["asyncpg", "aiomysql", "psycopg"])
def test_the_systems_resolver_answers_on_either_loop(
    loop_factory: Any, driver: Literal["asyncpg", "aiomysql", "psycopg"]
) -> None:
    async def connect() -> None:
        await aws_iam_async.connect(driver=driver, host="localhost", user="app", iam_host="auto")

    with (
        asyncio.Runner(loop_factory=loop_factory) as runner,
        pytest.raises(ConfigurationError, match="canonical name of 'localhost' is 'localhost"),
    ):
        runner.run(connect())


def test_the_endpoint_is_found_on_uvloop(rds: Rds, resolver: Resolver) -> None:
    """A uvloop connects through the C library, so it needs an address for the endpoint's name."""
    names: list[str] = []

    class Loop(uvloop.Loop):
        async def create_connection(self, *args: Any, **options: Any) -> Any:
            factory, host, port = args
            names.append(host)
            return await super().create_connection(factory, "127.0.0.1", port, **options)

        async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:  # psycopg looks the name up first
            names.append(host)
            return await super().getaddrinfo("127.0.0.1", port, **options)

    async def connect() -> None:
        async with looked_up(rds) as connection:
            assert await rds.value(connection, "SELECT 1") == 1

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(connect())
    assert (resolver.questions, names) == ([DOMAIN], [rds.emulator.host])
    assert [login.accepted for login in rds.emulator.logins] == [True]
