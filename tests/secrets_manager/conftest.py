"""Databases with password users behind TLS, and the Secrets Manager of moto, with a count of its requests."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import aiomysql
import asyncpg
import psycopg
import pytest
import trustme
from botocore.session import Session
from moto.secretsmanager.models import SecretsManagerBackend
from moto.server import ThreadedMotoServer

from aws_iam_async import PluginManager
from aws_iam_async.testing import MariadbServer, PostgresServer
from tests.credentials.conftest import AwsHome, aws_home, endpoint
from tests.secrets_manager.tls_front import tls_front

__all__ = ["aws_home", "endpoint"]

REGION = "eu-west-1"
SECRET = "shop/app"
SECRET_KEY = "made-up-secret-key-of-forty-characters-1"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - what other threads do has no event here
            await asyncio.sleep(0.01)


def write_certificate(directory: Path, host: str) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert(host)
    issued.private_key_pem.write_to_path(str(directory / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(directory / "cert.pem"))
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))


class PasswordPostgres(PostgresServer):
    """Has password users. ``with_tls()`` puts TLS in front of it, on ``port``."""

    system = "postgresql"

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__()
        self.host, self.port = host, free_port()

    def with_tls(self) -> AbstractContextManager[None]:
        socket_path, directory = f"{self.directory}/.s.PGSQL.5432", self.directory
        return tls_front(socket_path, self.port, directory / "cert.pem", directory / "key.pem")

    def initialise(self) -> None:
        super().initialise()
        write_certificate(self.directory, self.host)
        (self.directory / "data" / "pg_hba.conf").write_text("local all postgres trust\nlocal all all scram-sha-256\n")

    def execute(self, sql: str) -> None:
        with psycopg.connect(host=str(self.directory), user="postgres", autocommit=True) as administrator:
            administrator.execute(sql.encode())

    def set_password(self, user: str, password: str) -> None:
        self.execute(
            f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{user}') THEN CREATE ROLE {user} LOGIN;"
            f" END IF; END $$; ALTER ROLE {user} PASSWORD '{password}'"
        )


class PasswordMariadb(MariadbServer):
    """Has password users and TLS."""

    system = "mysql"

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()

    def initialise(self) -> None:
        super().initialise()
        write_certificate(self.directory, "127.0.0.1")

    def command(self) -> list[str]:
        files = [f"--ssl-cert={self.directory}/cert.pem", f"--ssl-key={self.directory}/key.pem"]
        return [*super().command(), "--skip-networking=0", "--bind-address=127.0.0.1", f"--port={self.port}", *files]

    def set_password(self, user: str, password: str) -> None:
        self.execute(f"CREATE USER IF NOT EXISTS {user}@'%' REQUIRE SSL")
        self.execute(f"GRANT ALL ON shop.* TO {user}@'%'")
        self.execute(f"ALTER USER {user}@'%' IDENTIFIED BY '{password}'")


@dataclass
class Store:
    """The Secrets Manager of moto, and what is asked of it."""

    url: str
    client: Any
    reads: int = 0
    error: Exception | None = None  # what it answers
    opened: threading.Event = field(default_factory=threading.Event)  # until then it answers nothing

    def put(self, value: object, name: str = SECRET) -> str:
        text = value if isinstance(value, str) else json.dumps(value)
        try:
            answer = self.client.create_secret(Name=name, SecretString=text)
        except self.client.exceptions.ResourceExistsException:
            answer = self.client.put_secret_value(SecretId=name, SecretString=text)
        arn: str = answer["ARN"]
        return arn


@dataclass
class Database:
    """A server with password users, and the few words in which its drivers differ."""

    driver: Literal["asyncpg", "aiomysql", "psycopg"]
    server: Any
    store: Store

    @property
    def refusal(self) -> type[Exception]:
        refusals: dict[str, type[Exception]] = {
            "asyncpg": asyncpg.InvalidPasswordError,
            "aiomysql": aiomysql.OperationalError,
            "psycopg": psycopg.OperationalError,
        }
        return refusals[self.driver]

    @property
    def options(self) -> dict[str, Any]:
        return {
            "driver": self.driver,
            "sslrootcert": str(self.server.directory / "ca.pem"),
            "secret_id": SECRET,
            "secret_region": REGION,
            "secret_endpoint": self.store.url,
        }

    def document(self, user: str, password: str, **more: object) -> dict[str, object]:
        engine = {"postgresql": "postgres", "mysql": "mariadb"}[self.server.system]
        place = {"engine": engine, "host": "127.0.0.1", "port": self.server.port, "dbname": "shop"}
        return {"username": user, "password": password, **place, **more}

    def rotate(self, user: str, password: str, **more: object) -> None:
        """Change the secret, and then the password in the database. Blocks."""
        self.store.put(self.document(user, password, **more))
        self.server.set_password(user, password)

    def sizes(self, least: int, most: int) -> dict[str, Any]:
        names = ("minsize", "maxsize") if self.driver == "aiomysql" else ("min_size", "max_size")
        return dict(zip(names, (least, most), strict=True))

    async def user(self, connection: Any) -> str:
        query = "SELECT current_user"
        if self.driver == "asyncpg":
            name = await connection.fetchval(query)
        else:
            async with connection.cursor() as cursor:
                await cursor.execute(query)
                (name,) = await cursor.fetchone()
        return str(name).removesuffix("@%")

    @asynccontextmanager
    async def acquired(self, pool: Any) -> AsyncIterator[Any]:
        async with pool.connection() if self.driver == "psycopg" else pool.acquire() as connection:
            yield connection


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PasswordPostgres]:
    with PasswordPostgres() as server:
        server.set_password("app", "none-yet")
        server.create_database("shop", owner="app")
        with server.with_tls():
            yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[PasswordMariadb]:
    with PasswordMariadb() as server:
        server.execute("CREATE DATABASE shop")
        yield server


@pytest.fixture(scope="session")
def moto() -> Iterator[Store]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    keys: dict[str, Any] = {"aws_access_key_id": "AKIATESTS", "aws_secret_access_key": "made-up"}
    yield Store(url, Session().create_client("secretsmanager", region_name=REGION, endpoint_url=url, **keys))
    server.stop()


@pytest.fixture
def store(moto: Store, aws_home: AwsHome, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store, with credentials for it in the environment."""
    aws_home.set(AWS_ACCESS_KEY_ID="AKIATESTS", AWS_SECRET_ACCESS_KEY=SECRET_KEY)
    for secret in moto.client.list_secrets(IncludePlannedDeletion=True)["SecretList"]:
        moto.client.delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)
    moto.reads, moto.error = 0, None
    moto.opened.set()
    answer = SecretsManagerBackend.get_secret_value

    def counted(*arguments: Any, **keywords: Any) -> Any:
        moto.reads += 1
        moto.opened.wait(30)
        if moto.error is not None:
            raise moto.error
        return answer(*arguments, **keywords)

    monkeypatch.setattr(SecretsManagerBackend, "get_secret_value", counted)
    yield moto
    moto.opened.set()
    for thread in threading.enumerate():
        if thread.name == "aws_iam_async read":  # it goes on when its manager is closed
            thread.join(30)


@pytest.fixture(params=["asyncpg", "psycopg", "aiomysql"])
def database(request: pytest.FixtureRequest, store: Store) -> Database:
    server = "mariadb_server" if request.param == "aiomysql" else "postgres_server"
    return Database(request.param, request.getfixturevalue(server), store)


@pytest.fixture
async def manager() -> AsyncIterator[PluginManager]:
    async with PluginManager("secrets_manager") as manager:
        yield manager
