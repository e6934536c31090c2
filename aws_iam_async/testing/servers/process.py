"""The base class of database servers that run as child processes, each in its own temporary directory."""

import contextlib
import os
import pwd
import secrets
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from aws_iam_async.testing.servers import Upstream

_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 30.0
_POLL_INTERVAL = 0.02
_LOG_LINES = 20

_REAPER_SCRIPT = """
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
    kill -s "$2" "$pid"
    tries=50
    while [ $tries -gt 0 ] && kill -0 "$pid"; do sleep 0.1; tries=$((tries - 1)); done
    tries=10
    while [ $tries -gt 0 ] && kill -s 0 -- "-$pid"; do sleep 0.1; tries=$((tries - 1)); done
    kill -s KILL -- "-$pid"
fi
rm -rf "$1"
"""
"""Reads the process id of the running program from stdin, or an empty line after its end. At the end of its input it
kills the program and removes the directory. The input also ends if this process is killed. The children of ``initdb``
clean up and end by themselves after it. What is left of the process group a second later is killed."""

_REPORTING_SCRIPT = """
echo $$
exec "$@" >&2
"""
"""Writes its process id, which is also that of the program that it becomes, to the reaper. This process could not do
that if a signal interrupted the start or killed this process."""


class ServerProcess(ABC):
    """Base class of the real servers: a context manager that starts a server and removes it with its data.

    All methods block, some for seconds. In a coroutine, call them through ``asyncio.to_thread``.
    A subclass may override `initialise`, `command` and `is_ready`, for example to add options.
    """

    _stop_signal = signal.SIGTERM
    _crash_signal = signal.SIGKILL

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._reaper: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def upstream(self) -> Upstream:
        """The address of this server, for the emulator."""

    @abstractmethod
    def execute(self, sql: str) -> None:
        """Execute SQL as the server's administrator.

        Raises:
            RuntimeError: The server refuses the statement.
        """

    @abstractmethod
    def create_user(self, name: str) -> None:
        """Create a user that can log in through the emulator."""

    @abstractmethod
    def drop_user(self, name: str) -> None:
        """Drop a user."""

    @abstractmethod
    def create_database(self, name: str, *, owner: str) -> None:
        """Create a database and give a user all privileges on it."""

    @abstractmethod
    def initialise(self) -> None:
        """Create the server's data. Called once, before the first start. A subclass may extend it.

        Raises:
            RuntimeError: The server is not installed, or a program fails. The message has the end of its output.
        """

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command line of the server. Called at each start. A subclass may change options.

        Returns:
            The program and its arguments.
        """

    @abstractmethod
    def is_ready(self) -> bool:
        """Return whether the running process accepts connections. Called until it is ready.

        Returns:
            True if it does.
        """

    @property
    def directory(self) -> Path:
        """The directory with the server's data, socket and log. It exists within the ``with`` block.

        Raises:
            RuntimeError: The ``with`` block has not been entered, or has ended.
        """
        if self._directory is None:
            raise RuntimeError(f"{type(self).__name__} is used outside its 'with' block")
        return self._directory

    @property
    def _owner(self) -> pwd.struct_passwd | None:
        """The account that the processes run as. None for the account of this process."""
        return None

    def __enter__(self) -> Self:
        # The path must be short: unix socket paths are limited to about 100 characters.
        self._directory = Path(tempfile.gettempdir(), f"iam-{secrets.token_hex(4)}")
        try:
            self._start_reaper(self._directory)  # first: an interrupt must not leave a directory without it
            self._directory.mkdir(mode=0o700)
            if self._owner is not None:
                os.chown(self._directory, self._owner.pw_uid, self._owner.pw_gid)
            self.initialise()
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # The server need not save its data, because they are removed.
        self.stop(crash=True)
        if self._reaper is not None:
            self._reaper.communicate(timeout=_STOP_TIMEOUT)
        self._reaper = self._directory = None

    def start(self) -> None:
        """Start the server on its data and wait until it accepts connections. Do nothing if it is running.

        Raises:
            RuntimeError: The server exits, or is not ready within 60 seconds. The message has the end of its log.
        """
        if self._process is not None:
            return
        self._process = self._spawn_reported(self.command())
        deadline = time.monotonic() + _START_TIMEOUT
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop(crash=True)
                raise RuntimeError(f"{type(self).__name__} does not start. The end of its log:\n{self._log_end()}")
            time.sleep(_POLL_INTERVAL)

    def stop(self, *, crash: bool = False) -> None:
        """Stop the server and close its connections. Do nothing if it is not running.

        Args:
            crash: True to stop it without a clean shutdown, as in a crash.
        """
        if self._process is None:
            return
        self._process.send_signal(self._crash_signal if crash else self._stop_signal)
        try:
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_TIMEOUT)
        self._process = None
        self._notify_reaper("")

    def restart(self, *, crash: bool = False) -> None:
        """Stop the server and start it again with the same data.

        Args:
            crash: True to stop it without a clean shutdown, as in a crash.

        Raises:
            RuntimeError: The server does not start again.
        """
        self.stop(crash=crash)
        self.start()

    def _start_reaper(self, directory: Path) -> None:
        signal_name = self._crash_signal.name.removeprefix("SIG")
        self._reaper = subprocess.Popen(  # noqa: S603 - the script is a constant of this module
            ["/bin/sh", "-c", _REAPER_SCRIPT, "reaper", str(directory), signal_name],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def _notify_reaper(self, line: str) -> None:
        if self._reaper is not None and self._reaper.stdin is not None:
            self._reaper.stdin.write(f"{line}\n".encode())
            self._reaper.stdin.flush()

    def run_program(self, command: list[str], stdin: IO[bytes] | None = None) -> None:
        """Run a program until it exits, as the server's account and with the server's log as its output.

        Args:
            command: The program and its arguments.
            stdin: The file to read as standard input. Default: none.

        Raises:
            RuntimeError: The program fails. The message has the end of its output.
        """
        process = self._spawn_reported(command, stdin)
        try:
            status = process.wait(_START_TIMEOUT)
        except BaseException:
            process.kill()
            process.wait()
            raise
        self._notify_reaper("")
        if status:
            raise RuntimeError(f"{Path(command[0]).name} fails. The end of its output:\n{self._log_end()}")

    def _spawn_reported(self, command: list[str], stdin: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        """Start a program, and have its process id sent to the reaper, which can end it with its children."""
        reaper_input = self._reaper and self._reaper.stdin
        with self._log() as log:
            reporting = ["/bin/sh", "-c", _REPORTING_SCRIPT, "start", *command]
            return self._spawn(reporting, reaper_input or log, stdin, errors=log)

    def _spawn(
        self,
        command: list[str],
        output: IO[bytes] | int,
        stdin: IO[bytes] | None = None,
        *,
        errors: IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        owner = self._owner
        return subprocess.Popen(  # noqa: S603 - programs of the database server
            command,
            stdin=stdin or subprocess.DEVNULL,
            stdout=output,
            stderr=errors or output,
            cwd=self.directory,
            user=owner and owner.pw_uid,
            group=owner and owner.pw_gid,
            extra_groups=owner and [],
            # Ctrl-C in a terminal must reach only the tests, which then stop the server in the right order.
            start_new_session=True,
        )

    def _log(self) -> IO[bytes]:
        return (self.directory / "log").open("ab")

    def _log_end(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join((self.directory / "log").read_text(errors="replace").splitlines()[-_LOG_LINES:])
        return "(no log)"
