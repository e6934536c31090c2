"""The emulator: an endpoint with the IAM login of RDS or Aurora DSQL in front of a real server."""

import asyncio
import contextlib
import logging
import re
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from aws_iam_async import endpoints
from aws_iam_async.refresh_ahead import wall_clock
from aws_iam_async.testing.account import Account
from aws_iam_async.testing.certificates import Certificates
from aws_iam_async.testing.dsql import DsqlFront
from aws_iam_async.testing.faults import Faults
from aws_iam_async.testing.gatekeeper import Gatekeeper
from aws_iam_async.testing.mysql import MysqlFront
from aws_iam_async.testing.postgres import PostgresFront
from aws_iam_async.testing.record import LoginRecord
from aws_iam_async.testing.servers import Upstream
from aws_iam_async.testing.servers.process import ServerProcess
from aws_iam_async.testing.streams import MalformedMessageError, hang_up
from aws_iam_async.testing.verification import Endpoint

_logger = logging.getLogger(__name__)

_DEFAULT_HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
_BACKLOG = 1024
_STOP_TIMEOUT = 30.0
_ACCEPT_PAUSE = 0.1


class Emulator:
    """An endpoint with IAM login, without AWS: a context manager that serves from its own thread.

    It is an endpoint of RDS, or of Aurora DSQL if ``host`` is such a name.

    The emulator listens on a loopback address only. Tests can use it from any number of threads and event loops, and
    without an event loop. Entering and leaving the ``with`` block may block for seconds.

    Args:
        upstream: The real server. Its protocol is also the protocol of the clients.
        host: The endpoint's name. Tokens must be signed for it, and the certificate is issued for it. Default: a
            cluster endpoint of RDS in us-east-1.
        region: The region that tokens must be signed for. Default: the region in ``host``.
        account: The account with the valid access keys. Default: a new account.
        signed_port: The port that tokens must be signed for, with RDS. Default: the listening port.
        dial_host: The loopback address to listen on, ``"127.0.0.1"`` or ``"::1"``. Default: ``"127.0.0.1"``.
        port: The port to listen on. Default: 0, any free port.

    Attributes:
        upstream: The address of the real server.
        dial_host: The address that clients connect to.
        port: The port that clients connect to. Within the ``with`` block it is never 0.
        host: The endpoint's name, in lower case.
        region: The AWS region.
        account: The AWS account.
        faults: The fault switches.
        clock: The emulator's clock, a function that returns seconds since the epoch. It can be replaced at any time.

    Raises:
        ValueError: ``port`` or ``signed_port`` is not a port's number. ``region`` is missing and ``host`` contains no
            region. ``host`` is of Aurora DSQL and ``upstream`` or ``signed_port`` do not go with it.
        OSError: On entering the ``with`` block, the emulator cannot listen on the port.
        RuntimeError: On leaving the ``with`` block, the emulator met an unexpected error or did not stop.
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
        self.clock: Callable[[], float] = wall_clock
        self._is_dsql = re.fullmatch(r"[^.]+\.dsql[^.]*\..+", self.host) is not None
        if self._is_dsql and (self.upstream.protocol == "mysql" or signed_port is not None):
            raise ValueError("Aurora DSQL has no protocol mysql, and its tokens are for no port: omit signed_port")
        self._signed_port = None if signed_port is None else endpoints.parse_port(signed_port, "signed_port")
        self.dial_host: str = dial_host
        self.port: int = port and endpoints.parse_port(port)
        self._sessions: dict[asyncio.Task[None], socket.socket] = {}
        self._sessions_changed = threading.Condition()
        self._unexpected_error: BaseException | None = None

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
        service = "dsql" if self._is_dsql else "rds-db"
        endpoint = Endpoint(self.host, self._signed_port or self.port, self.region, service)
        self._gatekeeper = Gatekeeper(endpoint, self.account, self.faults, self._now)
        front: type[MysqlFront | PostgresFront] = PostgresFront
        if self._is_dsql:
            front = DsqlFront
        elif self.upstream.protocol == "mysql":
            front = MysqlFront
        self._front = front(self.upstream, self._gatekeeper, certificates)
        self._loop = asyncio.new_event_loop()
        self._server_task = self._loop.create_task(self._serve())
        self._thread = threading.Thread(target=self._run, name=f"emulator of {self.host}", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._server_task.cancel)
        self._thread.join(_STOP_TIMEOUT)
        self._directory.cleanup()
        if self._thread.is_alive():
            raise RuntimeError(f"the emulator did not stop within {_STOP_TIMEOUT:.0f} s")
        if self._unexpected_error is not None:
            raise RuntimeError("unexpected error in the emulator; please report it") from self._unexpected_error

    @property
    def ca_file(self) -> Path:
        """The certificate authority that clients must trust, in PEM format. It exists within the ``with`` block."""
        return Path(self._directory.name, "ca.pem")

    @property
    def logins(self) -> list[LoginRecord]:
        """The logins that were accepted or refused since the start or the last ``reset()``, in order."""
        return list(self._gatekeeper.logins)

    @property
    def connections(self) -> int:
        """The number of connected clients, including those that have not logged in yet."""
        with self._sessions_changed:
            return len(self._sessions)

    def wait_for_connections(self, count: int, *, timeout: float = 10.0) -> None:
        """Block until exactly ``count`` clients are connected.

        Args:
            count: The number of clients.
            timeout: The maximum time to wait, in seconds. Default: 10.

        Raises:
            TimeoutError: The number was different for the whole time. The message has the current number.
        """
        with self._sessions_changed:
            if not self._sessions_changed.wait_for(lambda: len(self._sessions) == count, timeout):
                raise TimeoutError(f"{len(self._sessions)} connections instead of {count} after {timeout:g} s")

    def cut_connections(self) -> None:
        """Abort all connections, like a failover. Clients receive no error message."""
        self._loop.call_soon_threadsafe(self._cut_all)

    def reset(self) -> None:
        """Switch all faults off, delete all login records and reset the clock. Revoked keys stay revoked."""
        self.faults.reset()
        self.clock = wall_clock
        self._gatekeeper.reset()

    def dsn(self, user: str, database: str | None = None) -> str:
        """Return the address of this endpoint as a DSN, for example ``postgresql://app@127.0.0.1:54321/shop``.

        Args:
            user: The database user.
            database: The database. Default: none, the server chooses it.

        Returns:
            A DSN that every driver accepts. It contains nothing about TLS or tokens.
        """
        path = f"/{quote(database, safe='')}" if database else ""
        host = f"[{self.dial_host}]" if ":" in self.dial_host else self.dial_host
        return f"{self.upstream.protocol}://{quote(user, safe='')}@{host}:{self.port}{path}"

    @property
    def options(self) -> dict[str, Any]:
        """The options to log in here, as keyword arguments for ``aws_iam_async.connect()`` and ``create_pool()``."""
        return {**self._options_without_credentials, "credentials": self.account.credentials}

    def iam_dsn(self, user: str, database: str | None = None, *, scheme: str | None = None) -> str:
        """Return a DSN for this package with all options to log in here, except credentials, in its query.

        Use it for services that read a single setting. Other clients need the DSN of `dsn`.

        Args:
            user: The database user.
            database: The database. Default: none, the server chooses it.
            scheme: The scheme, for example ``"postgresql+psycopg"``. Default: ``"postgresql"`` or ``"mysql"``.

        Returns:
            The DSN. The host in it is the loopback address.
        """
        _, _, address = self.dsn(user, database).partition("://")
        return (
            f"{scheme or self.upstream.protocol}://{address}?{urlencode(self._options_without_credentials, safe='/')}"
        )

    @property
    def _options_without_credentials(self) -> dict[str, str]:
        port = {} if self._is_dsql else {"iam_default_port": str(self._signed_port or self.port)}
        return {"iam_host": self.host, **port, "iam_region": self.region, "sslrootcert": str(self.ca_file)}

    def __repr__(self) -> str:
        return f"<Emulator of {self.host} in front of {self.upstream.protocol}>"

    def _now(self) -> float:
        return self.clock()

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._server_task)
        self._loop.close()

    async def _serve(self) -> None:
        try:
            while True:
                try:
                    client, _ = await self._loop.sock_accept(self._listener)
                except OSError:  # for example, too many open files
                    await asyncio.sleep(_ACCEPT_PAUSE)
                    continue
                session = self._loop.create_task(self._serve_client(client))
                with self._sessions_changed:
                    self._sessions[session] = client
                    self._sessions_changed.notify_all()
                session.add_done_callback(self._end_session)
        finally:
            self._listener.close()
            self._cut_all()
            await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _serve_client(self, client: socket.socket) -> None:
        # asyncio of Python 3.11 sets it only on sockets with a protocol number, which accepted sockets lack.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await self._front.serve(client)

    def _cut_all(self) -> None:
        for session in self._sessions:
            session.cancel()

    def _end_session(self, session: asyncio.Task[None]) -> None:
        with self._sessions_changed:
            hang_up(self._sessions.pop(session))
            self._sessions_changed.notify_all()
        error = None if session.cancelled() else session.exception()
        if isinstance(error, MalformedMessageError):
            _logger.debug("closed a connection that violated the protocol: %s", error)
        elif error is not None and not isinstance(error, OSError | EOFError):
            self._unexpected_error = error


def _region(host: str) -> str:
    for label in reversed(host.split(".")):
        if re.fullmatch("[a-z]{2,4}(-[a-z]+)+-[0-9]+", label):
            return label
    raise ValueError(f"host {host!r} contains no AWS region; pass region=")
