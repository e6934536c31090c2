"""A database at a distance of 20 ms, with two addresses: with a password, and through the RDS emulator with a token.

The servers run in processes of their own.
"""

import contextlib
import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aws_iam_async.testing import Emulator, MariadbServer, PostgresServer
from benchmarks import distance

USER, DATABASE = "app", "shop"
SERVERS = {"aiomysql": MariadbServer, "psycopg": PostgresServer}


@dataclass(frozen=True)
class Place:
    """The addresses of a database, and what is needed to log in.

    Attributes:
        driver: The driver to log in with.
        database_port: The port on 127.0.0.1 that leads to the database.
        password: The user's password at the database.
        emulator_port: The port on 127.0.0.1 that leads to the emulator.
        iam_host: The host for which tokens must be signed. The emulator's certificate has this name.
        iam_port: The port for which tokens must be signed.
        ca_file: The file with the certificate authority to trust.
    """

    driver: str
    database_port: int
    password: str = field(repr=False)
    emulator_port: int
    iam_host: str
    iam_port: int
    ca_file: str

    @property
    def password_login(self) -> dict[str, Any]:
        """The keyword arguments of aiomysql for a login with the password."""
        return {
            "host": "127.0.0.1",
            "port": self.database_port,
            "user": USER,
            "password": self.password,
            "db": DATABASE,
        }

    @property
    def token_login(self) -> dict[str, Any]:
        """The keyword arguments of this package for a login with a token, without the options for TLS."""
        return {
            "driver": self.driver,
            "host": "127.0.0.1",
            "port": self.emulator_port,
            "user": USER,
            "database": DATABASE,
            "iam_host": self.iam_host,
            "iam_default_port": self.iam_port,
        }


@contextlib.contextmanager
def running(driver: str) -> Iterator[Place]:
    """Start the servers, set an access key in the environment of this process, and yield the addresses."""
    context = multiprocessing.get_context("spawn")
    parent_end, child_end = context.Pipe()
    process = context.Process(target=_serve, args=(child_end, driver), daemon=True)
    process.start()
    child_end.close()
    try:
        unix_socket, password, iam_host, iam_port, ca_file, key = parent_end.recv()
        os.environ |= key
        with distance.between(unix_socket, iam_port) as (database_port, emulator_port):
            yield Place(driver, database_port, password, emulator_port, iam_host, iam_port, ca_file)
    finally:
        parent_end.close()
        process.join()


def _serve(child_end: Any, driver: str) -> None:
    with SERVERS[driver]() as server, Emulator(server) as emulator:
        server.create_user(USER)
        server.create_database(DATABASE, owner=USER)
        key = emulator.account.create_access_key()
        environment = {"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": str(key.secret_key)}
        upstream = server.upstream
        child_end.send(
            (upstream.unix_socket, upstream.password, emulator.host, emulator.port, str(emulator.ca_file), environment)
        )
        with contextlib.suppress(EOFError):  # the parent has closed its end, or has ended
            child_end.recv()
