"""A database that is 20 ms away, with a password and through an emulator of RDS, in processes of their own."""

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
    """Where it is.

    Attributes:
        driver: The driver to log in with.
        direct: Where the database itself is dialled: a port on 127.0.0.1.
        password: Of the user, there.
        front: Where the emulator is dialled: a port on 127.0.0.1.
        iam_host: The name for which the emulator wants tokens to be signed, and which is in its certificate.
        iam_port: The port for which it wants them to be signed.
        authority: The file with the certificate to trust.
    """

    driver: str
    direct: int
    password: str = field(repr=False)
    front: int
    iam_host: str
    iam_port: int
    authority: str

    @property
    def password_login(self) -> dict[str, Any]:
        """What it takes to log in with the password: aiomysql's keywords."""
        return {"host": "127.0.0.1", "port": self.direct, "user": USER, "password": self.password, "db": DATABASE}

    @property
    def token_login(self) -> dict[str, Any]:
        """What it takes to log in with a token, but for trust: this package's keywords."""
        address = {"driver": self.driver, "host": "127.0.0.1", "port": self.front, "user": USER, "database": DATABASE}
        return {**address, "iam_host": self.iam_host, "iam_default_port": self.iam_port}


@contextlib.contextmanager
def running(driver: str) -> Iterator[Place]:
    """Start it, with an access key for it in the environment of this process, and yield where it is."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, driver), daemon=True)
    process.start()
    there.close()
    try:
        unix_socket, password, iam_host, iam_port, authority, key = here.recv()
        os.environ |= key
        with distance.between(unix_socket, iam_port) as (direct, front):
            yield Place(driver, direct, password, front, iam_host, iam_port, authority)
    finally:
        here.close()
        process.join()


def _serve(there: Any, driver: str) -> None:
    with SERVERS[driver]() as server, Emulator(server) as emulator:
        server.create_user(USER)
        server.create_database(DATABASE, owner=USER)
        key = emulator.account.create_access_key()
        environment = {"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": str(key.secret_key)}
        upstream = server.upstream
        there.send(
            (upstream.unix_socket, upstream.password, emulator.host, emulator.port, str(emulator.ca_file), environment)
        )
        with contextlib.suppress(EOFError):  # the end of who started this, in whatever way
            there.recv()
