"""MariaDB from the system's package ``mariadb-server-core``."""

import contextlib
import os
import secrets
import shutil
import socket
import tempfile
from pathlib import Path

import pymysql

from aws_iam_async.testing.servers.process import ServerProcess
from aws_iam_async.testing.servers.upstream import Upstream

_SYSTEM_TABLES = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")

_PROBE_TIMEOUT = 5.0


class MariadbServer(ServerProcess):
    """A MariaDB server on a unix socket in a directory of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._password = secrets.token_urlsafe()

    @property
    def upstream(self) -> Upstream:
        """How the emulator reaches this server."""
        return Upstream("mysql", unix_socket=str(self.directory / "socket"), password=self._password)

    def _initialise(self) -> None:
        # What mariadb-install-db does, which of MariaDB 10.11 does not run on mariadb-server-core alone: it wants
        # programs of the client package. The help tables and the sys schema are left out.
        scripts = _scripts()
        (self.directory / "data").mkdir()
        with tempfile.TemporaryFile() as sql:
            sql.write(b"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n")
            for name in _SYSTEM_TABLES:
                sql.write((scripts / name).read_bytes())
            sql.seek(0)
            self._run([*self._options(), "--bootstrap", "--silent-startup", "--enforce-storage-engine="], sql)

    def _options(self) -> list[str]:
        program = _program()
        settings = {
            "basedir": program.parent.parent,
            "datadir": self.directory / "data",
            # Not the common one: a server that starts removes the temporary tables that it finds there, others' too.
            "tmpdir": self.directory,
            "lc-messages": "en_US",
            # Small files, so that a start takes a second; the data are not worth anything.
            "innodb-log-file-size": "4M",
            "innodb-buffer-pool-size": "32M",
            "innodb-flush-log-at-trx-commit": "0",
            "innodb-doublewrite": "0",
            "aria-log-file-size": "8M",
        }
        # A server started by root has to be told that this is meant.
        root = ["--user=root"] if os.geteuid() == 0 else []
        return [str(program), "--no-defaults", *root, *(f"--{name}={value}" for name, value in settings.items())]

    def _command(self) -> list[str]:
        settings = {
            "socket": self.directory / "socket",
            "pid-file": self.directory / "pid",
            "max-connections": 400,
            "back-log": 400,
            # As RDS for MySQL 8 has it.
            "character-set-server": "utf8mb4",
        }
        options = ["--skip-networking", "--skip-log-bin", *(f"--{name}={value}" for name, value in settings.items())]
        return [*self._options(), *options]

    def _is_ready(self) -> bool:
        # Not with pymysql: version 1.2 leaves a socket open when it is refused.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_PROBE_TIMEOUT)
            probe.connect(self.upstream.unix_socket or "")
            return bool(probe.recv(1))
        return False

    def execute(self, sql: str) -> None:
        """Run SQL as the server's administrator.

        Args:
            sql: A statement.

        Raises:
            RuntimeError: The server refuses it.
        """
        with pymysql.connect(unix_socket=str(self.directory / "socket"), user="root") as administrator:
            try:
                administrator.cursor().execute(sql)
            except pymysql.err.MySQLError as error:
                raise RuntimeError(f"MariaDB refuses a statement: {error}") from error

    def create_user(self, name: str) -> None:
        """Create a user who may log in through the emulator.

        Args:
            name: The new user.

        Raises:
            RuntimeError: The server refuses.
        """
        self.execute(f"CREATE USER {_quoted(name)}@'%' IDENTIFIED BY '{self._password}'")

    def drop_user(self, name: str) -> None:
        """Drop a user.

        Args:
            name: The user.

        Raises:
            RuntimeError: The server refuses.
        """
        self.execute(f"DROP USER {_quoted(name)}@'%'")

    def create_database(self, name: str, *, owner: str) -> None:
        """Create a database in which a user may do everything.

        Args:
            name: The new database.
            owner: That user.

        Raises:
            RuntimeError: The server refuses.
        """
        self.execute(f"CREATE DATABASE {_quoted(name)}")
        self.execute(f"GRANT ALL ON {_quoted(name)}.* TO {_quoted(owner)}@'%'")


def _program() -> Path:
    # Debian keeps servers in a folder that is not on the path of ordinary users.
    folders = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which("mariadbd", path=folders)
    if found is None:
        raise RuntimeError(
            "mariadbd was not found: install MariaDB (on Debian and Ubuntu: apt install mariadb-server-core)"
        )
    return Path(found)


def _scripts() -> Path:
    share = _program().parent.parent / "share"
    for folder in (share / "mysql", share / "mariadb"):
        if (folder / _SYSTEM_TABLES[0]).exists():
            return folder
    raise RuntimeError(f"the scripts that make MariaDB's system tables were not found below {share}: reinstall MariaDB")


def _quoted(identifier: str) -> str:
    return "`" + identifier.replace("`", "``") + "`"
