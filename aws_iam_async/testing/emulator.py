"""The emulator: an endpoint that logs clients in with IAM tokens as RDS does, in front of a real server."""

import asyncio
import contextlib
import logging
import re
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from aws_iam_async.testing.account import Account
from aws_iam_async.testing.certificates import Certificates
from aws_iam_async.testing.faults import Faults
from aws_iam_async.testing.gatekeeper import Gatekeeper
from aws_iam_async.testing.login import Login
from aws_iam_async.testing.mysql import MysqlFront
from aws_iam_async.testing.postgres import PostgresFront
from aws_iam_async.testing.servers.process import ServerProcess
from aws_iam_async.testing.servers.upstream import Upstream
from aws_iam_async.testing.streams import MalformedMessageError, hang_up
from aws_iam_async.testing.verification import Endpoint

_logger = logging.getLogger(__name__)

_DEFAULT_HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
_BACKLOG = 1024
_STOP_TIMEOUT = 30.0
_ACCEPT_PAUSE = 0.1


class Emulator:
    """RDS IAM login without AWS: a context manager that listens on this machine only, from a thread of its own.

    It may be used from tests with any number of event loops, or with none, and from several threads at once.

    Args:
        upstream: The real server behind it; its protocol is the one spoken to clients.
        host: The RDS name that the emulator answers for: tokens have to be signed for it, and it is the name in the
            certificate.
        region: The region tokens have to be signed for; default: the one in ``host``.
        account: Whose access keys count; default: a new account.
        signed_port: The port tokens have to be signed for; default: the listening port.
        dial_host: The loopback address to listen on: ``127.0.0.1`` or, for IPv6, ``::1``.
        port: The port to listen on; default: 0, any free one.

    Attributes:
        dial_host: The address to connect to.
        port: The port to connect to, once the block is entered.
        host: The RDS name, in lower case.
        region: The region.
        account: The account.
        faults: What goes wrong on demand.
        clock: Returns the emulator's idea of the seconds since the epoch; may be replaced at any time.

    Raises:
        ValueError: No region was given and none is in ``host``.
    """

    clock: Callable[[], float]

    def __init__(
        self,
        upstream: Upstream | ServerProcess,
        *,
        host: str = _DEFAULT_HOST,
        region: str | None = None,
        account: Account | None = None,
        signed_port: int | None = None,
        dial_host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.upstream: Upstream = upstream if isinstance(upstream, Upstream) else upstream.upstream
        self.host: str = host.lower()
        self.region: str = region or _region(self.host)
        self.account: Account = account or Account()
        self.faults: Faults = Faults()
        self.clock: Callable[[], float] = time.time
        self._signed_port = signed_port
        self.dial_host: str = dial_host
        self.port: int = port
        self._sessions: dict[asyncio.Task[None], socket.socket] = {}
        self._changed = threading.Condition()
        self._defect: BaseException | None = None

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="iam-")
        try:
            certificates = Certificates(self.host, self.ca_file)
            family = socket.AF_INET6 if ":" in self.dial_host else socket.AF_INET
            self._listener = socket.create_server((self.dial_host, self.port), family=family, backlog=_BACKLOG)
        except BaseException:
            self._directory.cleanup()
            raise
        self._listener.settimeout(0)
        self.port = self._listener.getsockname()[1]
        endpoint = Endpoint(self.host, self._signed_port or self.port, self.region)
        self._gatekeeper = Gatekeeper(endpoint, self.account, self.faults, self._now)
        front = MysqlFront if self.upstream.protocol == "mysql" else PostgresFront
        self._front = front(self.upstream, self._gatekeeper, certificates)
        self._loop = asyncio.new_event_loop()
        self._serving = self._loop.create_task(self._serve())
        self._thread = threading.Thread(target=self._run, name=f"emulator of {self.host}", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._serving.cancel)
        self._thread.join(_STOP_TIMEOUT)
        self._directory.cleanup()
        if self._thread.is_alive():
            raise RuntimeError(f"the emulator's thread did not end within {_STOP_TIMEOUT:.0f} s")
        if self._defect is not None:
            raise RuntimeError("the emulator met an error that it does not know: please report it") from self._defect

    @property
    def ca_file(self) -> Path:
        """The certificate, in PEM, of the authority that clients have to trust."""
        return Path(self._directory.name, "ca.pem")

    @property
    def logins(self) -> list[Login]:
        """Every login that was decided on, in order, since the start or the last ``reset``."""
        return list(self._gatekeeper.logins)

    @property
    def connections(self) -> int:
        """How many clients are connected now, logged in or not yet."""
        with self._changed:
            return len(self._sessions)

    def wait_for_connections(self, count: int, *, timeout: float = 10.0) -> None:
        """Block until exactly ``count`` clients are connected.

        Args:
            count: How many.
            timeout: Seconds to wait for it at most.

        Raises:
            TimeoutError: It does not come to that; the message says how many there are.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._sessions) == count, timeout):
                raise TimeoutError(f"{len(self._sessions)} connections, not {count}, after {timeout:g} s")

    def cut_connections(self) -> None:
        """Break off every connection at once, without a word, as a failover does."""
        self._loop.call_soon_threadsafe(self._cut_all)

    def reset(self) -> None:
        """Turn off all faults, forget all logins, and set the clock right."""
        self.faults.reset()
        self.clock = time.time
        self._gatekeeper.reset()

    def dsn(self, user: str, database: str | None = None) -> str:
        """Return the address of this endpoint for a driver: ``postgresql://user@127.0.0.1:port/database``.

        Args:
            user: The database user.
            database: The database; default: none, and then the server's own.
        """
        path = f"/{quote(database, safe='')}" if database else ""
        host = f"[{self.dial_host}]" if ":" in self.dial_host else self.dial_host
        return f"{self.upstream.protocol}://{quote(user, safe='')}@{host}:{self.port}{path}"

    @property
    def options(self) -> dict[str, Any]:
        """What it takes to log in here, beside the address: keywords for this package's ``connect()`` and its like."""
        return {**self._address, "credentials": self.account.credentials}

    def iam_dsn(self, user: str, database: str | None = None, *, scheme: str | None = None) -> str:
        """Return the address with all that it takes to log in here, but for credentials, in its query.

        This is for services that read one setting; the address alone, which every client understands, is :meth:`dsn`.

        Args:
            user: The database user.
            database: The database.
            scheme: For example ``mysql+aiomysql``; default: ``postgresql`` or ``mysql``.
        """
        _, _, place = self.dsn(user, database).partition("://")
        return f"{scheme or self.upstream.protocol}://{place}?{urlencode(self._address, safe='/')}"

    @property
    def _address(self) -> dict[str, str]:
        return {
            "iam_host": self.host,
            "iam_default_port": str(self._signed_port or self.port),
            "iam_region": self.region,
            "sslrootcert": str(self.ca_file),
        }

    def __repr__(self) -> str:
        return f"<Emulator of {self.host} in front of {self.upstream.protocol}>"

    def _now(self) -> float:
        return self.clock()

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._serving)
        self._loop.close()

    async def _serve(self) -> None:
        try:
            while True:
                try:
                    client, _ = await self._loop.sock_accept(self._listener)
                except OSError:  # out of file descriptors, for one
                    await asyncio.sleep(_ACCEPT_PAUSE)
                    continue
                session = self._loop.create_task(self._talk(client))
                with self._changed:
                    self._sessions[session] = client
                    self._changed.notify_all()
                session.add_done_callback(self._end)
        finally:
            self._listener.close()
            self._cut_all()
            await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _talk(self, client: socket.socket) -> None:
        # asyncio of Python 3.11 does it only for sockets that name their protocol, which accepted ones do not.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await self._front.serve(client)

    def _cut_all(self) -> None:
        for session in self._sessions:
            session.cancel()

    def _end(self, session: asyncio.Task[None]) -> None:
        with self._changed:
            hang_up(self._sessions.pop(session))
            self._changed.notify_all()
        error = None if session.cancelled() else session.exception()
        if isinstance(error, MalformedMessageError):
            _logger.debug("a connection was closed for %s", error)
        elif error is not None and not isinstance(error, OSError | EOFError):
            self._defect = error


def _region(host: str) -> str:
    for label in reversed(host.split(".")):
        if re.fullmatch("[a-z]{2,4}(-[a-z]+)+-[0-9]+", label):
            return label
    raise ValueError(f"no AWS region is in the host {host!r}: pass region=")
