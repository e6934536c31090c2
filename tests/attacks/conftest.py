"""Victims for the attackers: both drivers, through the public functions, on both event loops."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvloop

from aws_iam_async import ConnectRequest, Credentials, PluginManager
from aws_iam_async.testing import Account, Emulator
from tests.attacks.hostile_certificates import Forgery
from tests.attacks.page import Outcome

HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
SCHEMES = {"asyncpg": "postgresql", "aiomysql": "mysql", "psycopg": "postgresql+psycopg"}
WAYS = ("connect", "pool")
LOOPS: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def pytest_asyncio_loop_factories(
    config: pytest.Config,  # noqa: ARG001 - the hook's signature
    item: pytest.Item,  # noqa: ARG001 - the hook's signature
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return LOOPS


@pytest.fixture(scope="session")
def outcomes() -> dict[tuple[str, str], list[Outcome]]:
    return defaultdict(list)


@pytest.fixture(params=sorted(SCHEMES))
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def emulator(driver: str, request: pytest.FixtureRequest) -> Emulator:
    found = request.getfixturevalue("rds_mysql" if driver == "aiomysql" else "rds_postgres")
    assert isinstance(found, Emulator)
    return found


@pytest.fixture(scope="session")
def forgery(tmp_path_factory: pytest.TempPathFactory) -> Forgery:
    return Forgery(tmp_path_factory.mktemp("forgery"), HOST)


@dataclass
class Witness:
    """A plugin next to the driver: keeps the secrets that were handed to it."""

    secrets: list[str] = field(default_factory=list)

    async def connect(self, request: ConnectRequest, call_next: Any) -> Any:
        assert request.password is not None
        self.secrets.append(str(request.password))
        return await call_next(request)


@dataclass
class Client:
    """Dials 127.0.0.1 for the endpoint, trusting the attacker's authority and the emulator's."""

    driver: str
    trust: Path
    account: Account
    witness: Witness = field(default_factory=Witness)

    async def dial(self, way: str, port: int, **options: Any) -> None:
        """Connect, or fill a pool with one connection, and close it again."""
        key = self.account.create_access_key(session=True)

        async def credentials() -> Credentials:
            return Credentials(key.access_key, key.secret_key, key.session_token)

        dsn = f"{SCHEMES[self.driver]}://app@127.0.0.1:{port}/shop"
        given: dict[str, Any] = {"iam_host": HOST, "sslrootcert": self.trust, "credentials": credentials, **options}
        async with PluginManager(["iam", self.witness]) as manager:
            least = "minsize" if self.driver == "aiomysql" else "min_size"
            # psycopg_pool 3.3 refuses a pool of nothing.
            empty: dict[str, Any] = {least: 0} | ({"max_size": 1} if self.driver == "psycopg" else {})
            async with manager.create_pool(dsn, **given, **empty):
                pass  # builds the TLS context, which takes longer than the timeouts of the attacks
            if way == "connect":
                async with manager.connect(dsn, **given):
                    pass
            else:
                one: dict[str, Any] = {least: 1}
                async with manager.create_pool(dsn, **given, **one):
                    pass


@pytest.fixture
def client(driver: str, emulator: Emulator, forgery: Forgery, tmp_path: Path) -> Client:
    trust = tmp_path / "trust.pem"
    trust.write_bytes(forgery.root + emulator.ca_file.read_bytes())
    return Client(driver, trust, emulator.account)


async def settled() -> None:
    """Let transports close: asyncpg 0.32 leaves the end of TLS to them."""
    for _ in range(10):
        await asyncio.sleep(0.001)
    assert asyncio.all_tasks() == {asyncio.current_task()}
