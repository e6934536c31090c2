"""A real MariaDB with TLS, a server that misbehaves on demand, and both event loops."""

import asyncio
import gc
import os
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import aiomysql
import pytest
import trustme
import uvloop
from pymysql.constants import CLIENT

from aws_iam_async.drivers.aiomysql.connection import Connection
from aws_iam_async.request import ConnectRequest
from aws_iam_async.secret import Bearer
from aws_iam_async.testing.servers.mariadb import MariadbServer
from aws_iam_async.tls import Tls

SECONDS = 20
PASSWORD = "not-to-be-seen-anywhere"


def pytest_asyncio_loop_factories(
    config: pytest.Config,  # noqa: ARG001 - the hook's signature
    item: pytest.Item,  # noqa: ARG001 - the hook's signature
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
async def bounded() -> AsyncIterator[None]:
    """End a test that hangs."""
    handle = asyncio.get_running_loop().call_later(SECONDS, lambda: [task.cancel() for task in asyncio.all_tasks()])
    yield
    handle.cancel()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


class MariaDB(MariadbServer):
    """Also over TCP and TLS; ``app`` has a password, ``tls_app`` must use TLS too."""

    def __init__(self, authority: trustme.CA, port: int) -> None:
        super().__init__()
        self._authority = authority
        self.port = port

    @property
    def unix_socket(self) -> str:
        return str(self.directory / "socket")

    def initialise(self) -> None:
        super().initialise()
        certificate = self._authority.issue_cert("127.0.0.1")
        certificate.private_key_pem.write_to_path(self.directory / "key.pem")
        certificate.cert_chain_pems[0].write_to_path(self.directory / "cert.pem")

    def command(self) -> list[str]:
        command = [option for option in super().command() if option != "--skip-networking"]
        tls = [f"--ssl-key={self.directory / 'key.pem'}", f"--ssl-cert={self.directory / 'cert.pem'}"]
        return [*command, "--bind-address=127.0.0.1", f"--port={self.port}", *tls]


@contextmanager
def _held_port() -> Iterator[int]:
    """A reserved port: it is bound without a listener. MariaDB 10.11 shares ports, so it can still listen on it."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(scope="session")
def mariadb(authority: trustme.CA) -> Iterator[MariaDB]:
    with _held_port() as port, MariaDB(authority, port) as server:
        server.execute("CREATE DATABASE shop")
        for user, demand in (("app", ""), ("tls_app", "REQUIRE SSL")):
            server.execute(f"CREATE USER {user}@'%' IDENTIFIED BY '{PASSWORD}' {demand}")
            server.execute(f"GRANT ALL ON shop.* TO {user}@'%'")
        yield server


Dial: TypeAlias = Callable[..., Connection]


def login(
    port: int, password: str = PASSWORD, *, tls: ssl.SSLContext | None = None, db: str | None = None, **attributes: Any
) -> ConnectRequest:
    """What ``log_in`` gets."""
    place = {"host": "127.0.0.1", "port": port, "user": "app", **attributes}
    return ConnectRequest(driver="aiomysql", password=password, tls=Tls(context=tls), database=db, **place)


@pytest.fixture
def connection() -> Iterator[Dial]:
    """Make a connection that logs in as these keywords of `login` say; ``keywords`` are aiomysql's.

    If ``is_token`` is true, the secret is only sent as it is, never as a hash.
    """
    made: list[Connection] = []

    def make(
        port: int, secret: str = PASSWORD, *, keywords: Mapping[str, Any] | None = None, **log_in: Any
    ) -> Connection:
        request = login(port, Bearer(secret) if log_in.pop("is_token", False) else secret, **log_in)

        async def dial(connection: Connection) -> None:
            async with asyncio.timeout(SECONDS):
                await connection.log_in(request)

        conn = Connection(dial=dial, **(keywords or {}))
        made.append(conn)
        return conn

    yield make
    for conn in made:
        assert conn.closed


async def value(conn: aiomysql.Connection, query: str) -> Any:
    """The last column of the first row."""
    async with conn.cursor() as cursor:
        await cursor.execute(query)
        return (await cursor.fetchone())[-1]


@pytest.fixture
def query() -> Callable[..., Any]:
    return value


def sockets() -> int:
    """How many sockets this process holds."""
    count = 0
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - descriptors, not files
        try:
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")  # noqa: PTH115 - as above
        except OSError:  # the one that listed the folder
            continue
    return count


class Leaks:
    """Compares the sockets and tasks of now with those of its making."""

    def __init__(self) -> None:
        self.count()

    def count(self) -> None:
        gc.collect()
        self.sockets = sockets()

    async def check(self, *, fewer: int = 0) -> None:
        for _ in range(5):  # transports close themselves on the ticks after abort(), uvloop's on the second
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert sockets() == self.sockets - fewer


@pytest.fixture
async def leaks(mariadb: MariaDB) -> Leaks:  # noqa: ARG001 - it must not start after the count
    return Leaks()


class Wire:
    """The server's end of one session, in MySQL packets over a blocking socket.

    Attributes:
        plaintext: Every byte that came before TLS.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self.sock = sock
        self.context = context
        self.plaintext = bytearray()
        self.number = 0

    def send(self, payload: bytes) -> None:
        self.sock.sendall(self.packet(payload))

    def packet(self, payload: bytes) -> bytes:
        self.number += 1
        return struct.pack("<I", len(payload) | (self.number - 1) << 24) + payload

    def receive(self) -> bytes:
        size = struct.unpack("<I", self._read(4))[0] & 0xFFFFFF
        self.number += 1
        return self._read(size)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = self.sock.recv(size - len(data))
            if not chunk:
                raise ConnectionResetError
            data += chunk
            if not isinstance(self.sock, ssl.SSLSocket):
                self.plaintext += chunk
        return data

    def greeting(self, method: str = "mysql_native_password", *, without: int = 0) -> bytes:
        capabilities = (CLIENT.CAPABILITIES | CLIENT.SSL | CLIENT.PLUGIN_AUTH_LENENC_CLIENT_DATA) & ~without
        low, high = struct.pack("<H", capabilities & 0xFFFF), struct.pack("<H", capabilities >> 16)
        head = b"\x0a8.0.0\0" + struct.pack("<I", 1) + 8 * b"s" + b"\0" + low
        return self.packet(
            head + b"\x2d\2\0" + high + b"\x15" + bytes(10) + 12 * b"s" + b"\0" + method.encode() + b"\0"
        )

    def greet(self, method: str = "mysql_native_password", *, without: int = 0) -> None:
        self.sock.sendall(self.greeting(method, without=without))

    def start_tls(self) -> None:
        self.receive()
        self.sock = self.context.wrap_socket(self.sock, server_side=True)

    def ask_for(self, method: str) -> None:
        self.send(b"\xfe" + method.encode() + b"\0" + 20 * b"s" + b"\0")

    def wait_for_end(self) -> None:
        """Read until the client is gone."""
        while True:
            self._read(1)


Script: TypeAlias = Callable[[Wire], None]


class ScriptedServer:
    """Runs one script for each client, in a thread; ``wires`` are the sessions so far."""

    def __init__(self, script: Script, context: ssl.SSLContext) -> None:
        self.wires: list[Wire] = []
        self._script = script
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._running = True
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if not self._running:
                sock.close()
                return
            sock.settimeout(SECONDS)
            wire = Wire(sock, self._context)
            self.wires.append(wire)
            thread = threading.Thread(target=self._serve, args=(wire,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, wire: Wire) -> None:
        try:
            self._script(wire)
            wire.wait_for_end()
        except TimeoutError:
            raise  # the client has left its socket open
        except OSError:
            pass  # the client has gone
        finally:
            wire.sock.close()

    async def ended(self) -> None:
        """Wait, with the loop running, until every client is gone; take no more."""
        await asyncio.to_thread(self.stop)

    def stop(self) -> None:
        if not self._running:
            return
        self._running = False
        socket.create_connection(("127.0.0.1", self.port), SECONDS).close()  # wakes accept()
        for thread in (self._acceptor, *self._threads):
            thread.join(SECONDS)
            assert not thread.is_alive()
        self._listener.close()


@pytest.fixture
def scripted(authority: trustme.CA) -> Iterator[Callable[[Script], ScriptedServer]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    servers: list[ScriptedServer] = []

    def start(script: Script) -> ScriptedServer:
        servers.append(ScriptedServer(script, context))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
