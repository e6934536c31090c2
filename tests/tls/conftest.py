"""Real TLS servers on 127.0.0.1, and the two event loops to reach them with."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self, TypeAlias

import pytest
import trustme
import uvloop

Loops: TypeAlias = Callable[[], asyncio.AbstractEventLoop]
SECONDS = 10


class TlsServer:
    """Greets every client over TLS, after ``S`` in plaintext if the client asks for TLS as PostgreSQL's and MySQL's do.

    It runs in a thread, so that nothing of it depends on the event loop under test.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.names: list[str | None] = []  # as sent by the clients in SNI
        self.protocols: list[str | None] = []  # as agreed on by ALPN
        context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self.context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._stopping = False
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._greeters: list[threading.Thread] = []

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._stopping:
                connection.close()
                return
            connection.settimeout(SECONDS)
            self._greeters.append(threading.Thread(target=self._greet, args=(connection,), daemon=True))
            self._greeters[-1].start()

    def _greet(self, connection: socket.socket) -> None:
        # A client that refuses the certificate goes away in the middle of the handshake.
        with connection, contextlib.suppress(OSError):
            if connection.recv(1, socket.MSG_PEEK) == b"?":
                connection.recv(1)
                connection.sendall(b"S")
            with self.context.wrap_socket(connection, server_side=True) as secured:
                self.protocols.append(secured.selected_alpn_protocol())
                secured.sendall(b"hello\n")
                secured.recv(1)

    def stop(self) -> None:
        """Wait until every client has been served, then take no more."""
        if self._stopping:
            return
        self._stopping = True
        socket.create_connection(("127.0.0.1", self.port), SECONDS).close()  # wakes accept()
        for thread in (self._acceptor, *self._greeters):
            thread.join(SECONDS)
            assert not thread.is_alive()
        self._listener.close()

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


Serve: TypeAlias = Callable[..., AbstractContextManager[TlsServer]]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def root_cert(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "root.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def serve(authority: trustme.CA) -> Serve:
    """Start a server with a certificate for these names, or with the chain in a file.

    Further keywords go to trustme's ``issue_cert``.
    """

    def start(*names: str, issuer: trustme.CA = authority, chain: Path | None = None, **options: Any) -> TlsServer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if chain is None:
            issuer.issue_cert(*names, **options).configure_cert(context)
        else:
            context.load_cert_chain(chain)
        return TlsServer(context)

    return start


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loops(request: pytest.FixtureRequest) -> Loops:
    loops: Loops = request.param
    return loops


@pytest.fixture(params=["create_connection", "start_tls"])
def hello(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Dial, as ``dialled.example``, in one of the two ways in which drivers reach TLS; return the server's greeting."""
    return _by_create_connection if request.param == "create_connection" else _by_start_tls


async def _by_create_connection(server: TlsServer, context: ssl.SSLContext | None) -> str:
    assert context is not None
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.port, ssl=context, server_hostname="dialled.example"
        )
        return await _greeting(reader, writer)


async def _by_start_tls(server: TlsServer, context: ssl.SSLContext | None) -> str:
    assert context is not None
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            writer.write(b"?")
            assert await reader.readexactly(1) == b"S"
            await writer.start_tls(context, server_hostname="dialled.example")
        except BaseException:
            writer.transport.abort()
            raise
        return await _greeting(reader, writer)


async def _greeting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    try:
        return (await reader.readline()).decode().strip()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.fixture
def run(loops: Loops) -> Iterator[Callable[..., Any]]:
    """Run a coroutine on a fresh loop of the kind under test."""
    with asyncio.Runner(loop_factory=loops) as runner:
        yield runner.run
