"""MariaDB from the operating system's package, on Debian and Ubuntu ``mariadb-server-core``."""

import contextlib
import os
import secrets
import shutil
import socket
import tempfile
from pathlib import Path

import pymysql

from aws_iam_async.testing.servers import Upstream
from aws_iam_async.testing.servers.process import ServerProcess

_SYSTEM_TABLES = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")

_PROBE_TIMEOUT = 5.0


class MariadbServer(ServerProcess):
    """A MariaDB server for tests: a context manager that starts it and removes it with its data.

    The server listens on a unix socket in its own temporary directory. MariaDB must be installed.
    All methods block, some for seconds. In a coroutine, call them through ``asyncio.to_thread``.

    Raises:
        RuntimeError: On entering the ``with`` block, MariaDB is not installed or does not start.
    """

    def __init__(self) -> None:
        super().__init__()
        self._password = secrets.token_urlsafe()

    @property
    def upstream(self) -> Upstream:
        """The address of this server, for the emulator."""
        return Upstream("mysql", unix_socket=str(self.directory / "socket"), password=self._password)

    def initialise(self) -> None:
        """Create the data directory with MariaDB's system tables. A subclass may add files to ``directory``.

        Raises:
            RuntimeError: MariaDB is not installed, is incomplete, or fails. The message has the end of its output.
        """
        # mariadb-install-db of MariaDB 10.11 does the same, but needs programs of the client package. The help tables
        # and the sys schema are omitted.
        scripts = _scripts_directory()
        (self.directory / "data").mkdir()
        with tempfile.TemporaryFile() as sql:
            sql.write(b"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n")
            for name in _SYSTEM_TABLES:
                sql.write((scripts / name).read_bytes())
            sql.seek(0)
            self.run_program([*self._options(), "--bootstrap", "--silent-startup", "--enforce-storage-engine="], sql)

    def _options(self) -> list[str]:
        program = _program()
        settings = {
            "basedir": program.parent.parent,
            "datadir": self.directory / "data",
            # At start, MariaDB deletes all temporary tables in its tmpdir, so servers must not share one.
            "tmpdir": self.directory,
            "lc-messages": "en_US",
            # Small files and no syncing make a start take about one second. The data need not survive.
            "innodb-log-file-size": "4M",
            "innodb-buffer-pool-size": "32M",
            "innodb-flush-log-at-trx-commit": "0",
            "innodb-doublewrite": "0",
            "aria-log-file-size": "8M",
        }
        # MariaDB refuses to run as root without this option.
        root_options = ["--user=root"] if os.geteuid() == 0 else []
        return [
            str(program),
            "--no-defaults",
            *root_options,
            *(f"--{name}={value}" for name, value in settings.items()),
        ]

    def command(self) -> list[str]:
        """Return the command line of the server.

        Returns:
            The program and its arguments. The last of several settings of the same name wins.
        """
        settings = {
            "socket": self.directory / "socket",
            "pid-file": self.directory / "pid",
            "max-connections": 400,
            "back-log": 400,
            # The default of RDS for MySQL 8.
            "character-set-server": "utf8mb4",
        }
        options = ["--skip-networking", "--skip-log-bin", *(f"--{name}={value}" for name, value in settings.items())]
        return [*self._options(), *options]

    def is_ready(self) -> bool:
        """Return whether the server accepts connections.

        Returns:
            True if it does.
        """
        # pymysql 1.2 would leak a socket if the server refused the connection.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_PROBE_TIMEOUT)
            probe.connect(self.upstream.unix_socket or "")
            return bool(probe.recv(1))
        return False

    def execute(self, sql: str) -> None:
        """Execute SQL as the server's administrator.

        Args:
            sql: The statement.

        Raises:
            RuntimeError: The server refuses the statement. The message has its error.
        """
        with pymysql.connect(unix_socket=str(self.directory / "socket"), user="root") as administrator:
            try:
                administrator.cursor().execute(sql)
            except pymysql.err.MySQLError as error:
                raise RuntimeError(f"MariaDB refuses the statement: {error}") from error

    def create_user(self, name: str) -> None:
        """Create a user that can log in through the emulator.

        Args:
            name: The name of the user.

        Raises:
            RuntimeError: The server refuses the statement.
        """
        self.execute(f"CREATE USER {_quoted(name)}@'%' IDENTIFIED BY '{self._password}'")

    def drop_user(self, name: str) -> None:
        """Drop a user.

        Args:
            name: The name of the user.

        Raises:
            RuntimeError: The server refuses the statement.
        """
        self.execute(f"DROP USER {_quoted(name)}@'%'")

    def create_database(self, name: str, *, owner: str) -> None:
        """Create a database and give a user all privileges on it.

        Args:
            name: The name of the database.
            owner: The name of the user.

        Raises:
            RuntimeError: The server refuses the statement.
        """
        self.execute(f"CREATE DATABASE {_quoted(name)}")
        self.execute(f"GRANT ALL ON {_quoted(name)}.* TO {_quoted(owner)}@'%'")


def _program() -> Path:
    # Debian installs servers in a directory that is not in the PATH of ordinary users.
    search_path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    program = shutil.which("mariadbd", path=search_path)
    if program is None:
        raise RuntimeError(
            "MariaDB is not installed. Install a package with mariadbd, on Debian and Ubuntu with"
            " 'apt install mariadb-server-core'."
        )
    return Path(program)


def _scripts_directory() -> Path:
    share = _program().parent.parent / "share"
    for directory in (share / "mysql", share / "mariadb"):
        if (directory / _SYSTEM_TABLES[0]).exists():
            return directory
    raise RuntimeError(f"MariaDB is incomplete: {_SYSTEM_TABLES[0]} is not in {share}. Reinstall MariaDB.")


def _quoted(identifier: str) -> str:
    return "`" + identifier.replace("`", "``") + "`"
