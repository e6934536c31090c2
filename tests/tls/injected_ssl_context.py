"""A program in which truststore replaces ``ssl.SSLContext``: it logs in everywhere, and prints what came of it as JSON.

    python -m tests.tls.injected_ssl_context WHEN

``WHEN`` is when the class is replaced: ``before`` or ``after`` the package is imported, ``late``: when contexts exist
already, or ``extracted``: before the import, and put back after it. ``never`` is how it should be.
"""

import asyncio
import contextlib
import importlib
import json
import socket
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trustme

truststore: Any = importlib.import_module("truststore")  # type checkers then need not find it

WHEN = sys.argv[1]
OriginalContext = ssl.SSLContext
if WHEN in {"before", "extracted"}:
    truststore.inject_into_ssl()

import aws_iam_async  # noqa: E402 - what is tested
from aws_iam_async.testing import Account  # noqa: E402 - the same

if WHEN == "extracted":
    truststore.extract_from_ssl()

NAME = "shop.c9akciq32.us-east-1.rds.amazonaws.com"
SECONDS = 10
ASK_FOR_PASSWORD = b"R\0\0\0\x08\0\0\0\x03"
ASK_FOR_TOKEN = b"\xfemysql_clear_password\0"
GREETING = (
    b"\x0a8.0.0\0\x01\0\0\0saltsalt\0\xff\xff\x21\x02\0\x0f\0\x15" + bytes(10) + b"saltsaltsalt\0mysql_clear_password\0"
)


class Server:
    """Starts TLS as a database does, and reads the token."""

    def __init__(self, authority: trustme.CA, name: str, directory: Path) -> None:
        chain = directory / f"{name}.pem"
        authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(chain)
        self.context = OriginalContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain)
        self.tokens = 0

    def listen(self, scheme: str) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        serve = {"postgresql": self._postgresql, "mysql": self._mysql}[scheme]
        threading.Thread(target=self._accept, args=(listener, serve), daemon=True).start()
        return int(listener.getsockname()[1])

    def _accept(self, listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        while True:
            client, _ = listener.accept()
            client.settimeout(SECONDS)
            with client, contextlib.suppress(OSError):
                serve(client)

    def _postgresql(self, client: socket.socket) -> None:
        client.recv(100)
        client.sendall(b"S")
        with self.context.wrap_socket(client, server_side=True) as secured:
            secured.recv(1000)
            secured.sendall(ASK_FOR_PASSWORD)
            self.tokens += b"X-Amz-Signature=" in secured.recv(4000)

    def _mysql(self, client: socket.socket) -> None:
        client.sendall(len(GREETING).to_bytes(3, "little") + b"\0" + GREETING)
        client.recv(36)
        with self.context.wrap_socket(client, server_side=True) as secured:
            secured.recv(1000)
            secured.sendall(len(ASK_FOR_TOKEN).to_bytes(3, "little") + b"\3" + ASK_FOR_TOKEN)
            self.tokens += b"X-Amz-Signature=" in secured.recv(4000)


async def outcome(server: Server, dsn: str, **options: Any) -> str:
    before = server.tokens
    try:
        await aws_iam_async.connect(dsn, iam_host=NAME, credentials=Account().credentials, **options)
    except Exception as error:  # noqa: BLE001 - shown
        if server.tokens > before:
            return "the server has the token"
        cause = error if isinstance(error, ssl.SSLError) else error.__cause__
        return getattr(cause, "verify_message", None) or repr(error)
    return "connected"


def main() -> dict[str, str]:
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        authority, root_cert = trustme.CA(), directory / "root.pem"
        authority.cert_pem.write_to_path(root_cert)
        servers = {name: Server(authority, name, directory) for name in (NAME, "other.example", "127.0.0.1")}
        trusts: dict[str, Callable[[], dict[str, Any]]] = {
            "sslrootcert": lambda: {"sslrootcert": root_cert},
            "default": dict,
            "require": lambda: {"ssl": "require"},
            "own": lambda: {"ssl": ssl.create_default_context(cafile=root_cert)},
            "own of truststore": lambda: {"ssl": trusting(truststore.SSLContext, root_cert)},
            "own original": lambda: {"ssl": original},
        }
        original = trusting(OriginalContext, root_cert)
        if WHEN == "late":
            for options in list(trusts.values()):
                asyncio.run(
                    outcome(
                        servers[NAME], f"postgresql://app@127.0.0.1:{servers[NAME].listen('postgresql')}", **options()
                    )
                )
        if WHEN in {"after", "late"}:
            truststore.inject_into_ssl()
        import uvloop  # noqa: PLC0415 - it keeps the class that it finds

        for loop, run in (("asyncio", asyncio.run), ("uvloop", uvloop.run)):
            for scheme in ("postgresql", "mysql"):
                for name, server in servers.items():
                    dsn = f"{scheme}://app@127.0.0.1:{server.listen(scheme)}/shop"
                    for trust, options in trusts.items():
                        found[f"{loop}, {scheme}, {trust}, {name}"] = run(outcome(server, dsn, **options()))
    return found


def trusting(kind: type[ssl.SSLContext], root_cert: Path) -> ssl.SSLContext:
    context = kind(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(root_cert)
    return context


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main()))
