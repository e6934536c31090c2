"""A database behind the proxy that injects faults, with a common interface for all drivers."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiomysql
import asyncpg
import psycopg
import uvloop

from aws_iam_async import AwsIamError, PluginManager
from aws_iam_async.testing import Emulator, MariadbServer, PostgresServer
from aws_iam_async.testing.servers.process import ServerProcess
from tests.faults.breaking_proxy import BreakingProxy

LOOPS: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
SERVERS: Mapping[str, type[ServerProcess]] = {
    "asyncpg": PostgresServer,
    "aiomysql": MariadbServer,
    "psycopg": PostgresServer,
}


@dataclass
class Site:
    """A database server, an emulator and a proxy, which can all be broken.

    Attributes:
        driver: The client's driver.
        server: The database.
        emulator: The RDS emulator in front of the server, which requires tokens.
        proxy: The network between the client and the emulator.
    """

    driver: str
    server: ServerProcess
    emulator: Emulator
    proxy: BreakingProxy

    @property
    def known_errors(self) -> tuple[type[Exception], ...]:
        """What the users of the driver know to expect of a database that fails, and of AWS."""
        if self.driver == "asyncpg":
            # The last is asyncpg 0.32's word for a statement that crosses the server's farewell on the wire.
            return (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, AwsIamError, asyncpg.InternalClientError)
        if self.driver == "psycopg":
            return (psycopg.Error, AwsIamError)
        return (aiomysql.OperationalError, aiomysql.InterfaceError, AwsIamError)

    @property
    def connect_errors(self) -> tuple[type[Exception], ...]:
        """The errors that the driver raises if a connection attempt is broken off."""
        if self.driver == "asyncpg":
            return (asyncpg.PostgresConnectionError, OSError)
        return (psycopg.OperationalError,) if self.driver == "psycopg" else (aiomysql.OperationalError,)

    @property
    def timeout_error(self) -> type[Exception]:
        """The error that the driver raises if a connection attempt takes too long."""
        if self.driver == "asyncpg":
            return TimeoutError
        return psycopg.errors.ConnectionTimeout if self.driver == "psycopg" else aiomysql.OperationalError

    def connect(self, manager: PluginManager, **options: Any) -> Any:
        return manager.connect(**self._options(options))

    def create_pool(self, manager: PluginManager, least: int, most: int, **options: Any) -> Any:
        least_name, most_name = ("minsize", "maxsize") if self.driver == "aiomysql" else ("min_size", "max_size")
        return manager.create_pool(**self._options({least_name: least, most_name: most, **options}))

    def limit(self, seconds: float) -> dict[str, Any]:
        """The driver's option for the timeout of a connection attempt."""
        return {"timeout" if self.driver == "asyncpg" else "connect_timeout": seconds}

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        always: dict[str, Any] = {
            "driver": self.driver,
            "host": self.emulator.dial_host,
            "port": self.proxy.port,
            "user": "app",
            "database": "shop",
            "iam_host": self.emulator.host,
            "iam_default_port": self.emulator.port,
            "sslrootcert": self.emulator.ca_file,
        }
        if self.driver == "aiomysql":
            always |= {"autocommit": True, "init_command": "SET @ready = 1"}  # else the login ends before LOGGED_IN
        if self.driver == "psycopg":
            always |= {"autocommit": True}
        return always | options

    @property
    def environment(self) -> dict[str, str]:
        """What ``main_job.py`` wants to know."""
        return {
            "EMULATOR_ADDRESS": self.emulator.dial_host,
            "EMULATOR_PORT": str(self.emulator.port),
            "EMULATOR_HOST": self.emulator.host,
            "EMULATOR_CA": str(self.emulator.ca_file),
        }

    async def execute(self, connection: Any, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement, and return its rows."""
        if self.driver == "asyncpg":
            return [tuple(row) for row in await connection.fetch(sql)]
        async with connection.cursor() as cursor:
            await cursor.execute(sql)
            if self.driver == "psycopg" and cursor.description is None:
                return []
            return list(await cursor.fetchall())

    def acquire(self, pool: Any) -> Any:
        """A connection of a pool, as an asynchronous context manager."""
        return pool.connection() if self.driver == "psycopg" else pool.acquire()

    async def close(self, connection: Any) -> None:
        await (connection.ensure_closed() if self.driver == "aiomysql" else connection.close())

    def restart(self, *, crash: bool) -> None:
        """Restart the server; it blocks."""
        self.server.restart(crash=crash)
        self.be_durable()

    def be_durable(self) -> None:
        """Have the server keep what it has confirmed over a crash of its own; testing servers do not by themselves."""
        self.server.execute(
            "SET GLOBAL innodb_flush_log_at_trx_commit = 2"
            if self.driver == "aiomysql"
            else "ALTER ROLE app SET synchronous_commit = on"
        )

    def heal(self) -> None:
        """End all faults, and close the remaining connections."""
        self.proxy.cut()
        self.emulator.cut_connections()
        self.proxy.heal()
        self.emulator.reset()
        self.emulator.account.restore()


@contextmanager
def site(driver: str, *, seed: int = 0) -> Iterator[Site]:
    """A site of its own."""
    with SERVERS[driver]() as server, Emulator(server) as emulator, BreakingProxy(emulator.port, seed=seed) as proxy:
        server.create_user("app")
        server.create_database("shop", owner="app")
        found = Site(driver, server, emulator, proxy)
        found.be_durable()
        yield found
