"""Clusters of two real servers that can switch their roles, as in a failover of Aurora."""

import contextlib
import math
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import ClassVar, Generic, Literal, Self, TypeVar

from aws_iam_async.testing.servers import Upstream
from aws_iam_async.testing.servers.mariadb import MariadbServer
from aws_iam_async.testing.servers.postgres import PostgresServer
from aws_iam_async.testing.servers.process import ServerProcess
from aws_iam_async.testing.streams import Channel

Member = TypeVar("Member", bound=ServerProcess)

_WAIT_FOR_STANDBY = """
DO $wait$ DECLARE position pg_lsn := pg_current_wal_flush_lsn(); BEGIN
    FOR try IN 1..3000 LOOP
        IF EXISTS (SELECT FROM pg_stat_get_wal_senders() WHERE flush_lsn >= position) THEN RETURN; END IF;
        PERFORM pg_sleep(0.01);
    END LOOP;
    RAISE 'the standby does not follow';
END $wait$;
"""  # Until the standby has received everything. After a promotion, it then also follows the new timeline.


@dataclass(frozen=True, kw_only=True)
class _Endpoint(Upstream):
    """A name of a cluster. Each new connection goes to the server that the name leads to at that moment."""

    server: Callable[[], ServerProcess] = field(repr=False)

    async def connect(self) -> Channel:
        return await self.server().upstream.connect()


class Cluster(ABC, Generic[Member]):
    """Base class of the clusters: a context manager that starts two servers and removes them with their data.

    All methods block, some for seconds. In a coroutine, call them through ``asyncio.to_thread``.
    """

    _protocol: ClassVar[Literal["postgresql", "mysql"]]

    def __init__(self, primary: Member, standby: Member, *, password: str = "") -> None:
        self.primary: Member = primary
        """The server that accepts writes now."""
        self.standby: Member = standby
        """The other server."""
        # Until this time of the monotonic clock, the names lead to these servers.
        self._stale_until, self._stale_names = -math.inf, (primary, standby)
        self._password = password

    @property
    def writer(self) -> Upstream:
        """The name of the primary, as ``upstream`` of an `Emulator`.

        Each new session goes to the server that the name leads to at that moment, and stays there.
        """
        return _Endpoint(protocol=self._protocol, password=self._password, server=lambda: self._names()[0])

    @property
    def reader(self) -> Upstream:
        """The name of the standby, as ``upstream`` of an `Emulator`."""
        return _Endpoint(protocol=self._protocol, password=self._password, server=lambda: self._names()[1])

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.primary)
            stack.enter_context(self.standby)
            self._running = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._running.close()

    def execute(self, sql: str) -> None:
        """Execute SQL as the administrator, with effect on both servers.

        Args:
            sql: The statement.

        Raises:
            RuntimeError: A server refuses the statement. The message has its error.
        """
        for server in self._administered():
            server.execute(sql)

    def create_user(self, name: str) -> None:
        """Create a user that can log in through the emulator, on both servers.

        Args:
            name: The name of the user.

        Raises:
            RuntimeError: A server refuses the statement.
        """
        for server in self._administered():
            server.create_user(name)

    def create_database(self, name: str, *, owner: str) -> None:
        """Create a database and give a user all privileges on it, on both servers.

        Args:
            name: The name of the database.
            owner: The name of the user.

        Raises:
            RuntimeError: A server refuses the statement.
        """
        for server in self._administered():
            server.create_database(name, owner=owner)

    def switch_over(self, *, dns_delay: float = 0.0) -> None:
        """Switch the roles of the servers. Return when the new primary accepts writes and has a standby.

        Until then, and for ``dns_delay`` seconds more, `writer` and `reader` lead to the same servers as before. Both
        servers must be running.

        Args:
            dns_delay: How long the names remain stale, in seconds. Default: 0.

        Raises:
            RuntimeError: A server does not take its new role.
        """
        self._stale_names, self._stale_until = self._names(), math.inf
        self._switch(self.primary, self.standby)
        self.primary, self.standby = self.standby, self.primary
        self._stale_until = time.monotonic() + dns_delay

    def update_names(self) -> None:
        """Make `writer` and `reader` lead to the servers with these roles now, before the end of ``dns_delay``."""
        self._stale_until = -math.inf

    def _names(self) -> tuple[Member, Member]:
        return self._stale_names if time.monotonic() < self._stale_until else (self.primary, self.standby)

    def _administered(self) -> tuple[Member, ...]:
        """Return the servers on which the administrator's statements run."""
        return (self.primary,)

    @abstractmethod
    def _switch(self, old: Member, new: Member) -> None:
        """Make ``new`` the primary and ``old`` its standby."""


class _PostgresMember(PostgresServer):
    """A primary, or the standby of a source."""

    def __init__(self, source: PostgresServer | None = None) -> None:
        super().__init__()
        self._source = source

    def initialise(self) -> None:
        if self._source is None:
            super().initialise()
            return
        self.binaries = self._source.binaries
        options = ["--username=postgres", "--checkpoint=fast", "--no-sync", "--no-manifest"]
        program = [str(self.binaries / "pg_basebackup"), f"--host={self._source.directory}", *options]
        self.run_program([*program, f"--pgdata={self.directory / 'data'}"])
        self.follow(self._source)

    def command(self) -> list[str]:
        settings = {
            # A commit returns when it is visible on the standby.
            "synchronous_standby_names": "*",
            "synchronous_commit": "remote_apply",
            # The default of 5 s would delay each switch.
            "wal_retrieve_retry_interval": "50ms",
        }
        if self._source is not None:
            settings["primary_conninfo"] = f"host='{self._source.directory}' user=postgres"
        return [*super().command(), *(f"--{name}={value}" for name, value in settings.items())]

    def follow(self, source: PostgresServer) -> None:
        """Become the standby of a source at the next start."""
        self._source = source
        (self.directory / "data" / "standby.signal").touch()  # a promotion removes it


class PostgresCluster(Cluster[_PostgresMember]):
    """Two PostgreSQL servers, of which the second is a hot standby by streaming replication.

    A commit on the writer returns when it is visible on the reader. While a test has stopped the standby, commits wait.

    `switch_over` loses no data. It stops the primary, which ends its sessions, promotes the standby and starts the old
    primary as the new standby. Sessions of the reader survive, and can then write.

    Raises:
        RuntimeError: On entering the ``with`` block, PostgreSQL is not installed or does not start.
    """

    _protocol = "postgresql"

    def __init__(self) -> None:
        primary = _PostgresMember()
        super().__init__(primary, _PostgresMember(primary))

    def _switch(self, old: _PostgresMember, new: _PostgresMember) -> None:
        old.execute(_WAIT_FOR_STANDBY)
        old.stop()
        new.execute("SELECT pg_promote()")
        old.follow(new)
        old.start()
        new.execute(_WAIT_FOR_STANDBY)


class _MariadbMember(MariadbServer):
    """A server that refuses writes by users while it is no primary."""

    def __init__(self, password: str, *, is_primary: bool) -> None:
        super().__init__()
        self._password = password
        self._is_primary = is_primary

    def command(self) -> list[str]:
        return [*super().command(), f"--read-only={int(not self._is_primary)}"]

    def take_role(self, *, is_primary: bool) -> None:
        self.execute(f"SET GLOBAL read_only={int(not is_primary)}")
        self._is_primary = is_primary


class MariadbCluster(Cluster[_MariadbMember]):
    """Two MariaDB servers, of which the second is read-only. There is no replication between them.

    What a session writes is on its own server only. `execute`, `create_user` and `create_database` run on both servers.

    `switch_over` changes ``read_only`` on both servers. Sessions survive: writes on the old primary then fail with
    error 1290. MariaDB waits for statements that are running, and for the end of ``LOCK TABLES``.

    Raises:
        RuntimeError: On entering the ``with`` block, MariaDB is not installed or does not start.
    """

    _protocol = "mysql"

    def __init__(self) -> None:
        password = secrets.token_urlsafe()
        primary = _MariadbMember(password, is_primary=True)
        super().__init__(primary, _MariadbMember(password, is_primary=False), password=password)

    def _administered(self) -> tuple[_MariadbMember, ...]:
        return self.primary, self.standby

    def _switch(self, old: _MariadbMember, new: _MariadbMember) -> None:
        old.take_role(is_primary=False)
        new.take_role(is_primary=True)
