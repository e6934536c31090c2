"""A server process with a directory of its own, both gone when it is no longer needed."""

import contextlib
import os
import pwd
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from aws_iam_async.testing.servers.upstream import Upstream

_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 30.0
_POLL = 0.02

_KEEPER = """
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
    kill -s "$2" "$pid"
    tries=50
    while [ $tries -gt 0 ] && kill -0 "$pid"; do sleep 0.1; tries=$((tries - 1)); done
fi
rm -rf "$1"
"""
"""Hears the process ids of the server line by line, an empty line when it has stopped, and clears up at the end of
its input: that comes even when this process is killed and cannot say anything any more."""


class ServerProcess(ABC):
    """Base of the real servers: a context manager that starts one and removes it with all its data.

    The methods block, for up to seconds: call them outside an event loop, or through ``asyncio.to_thread``.
    """

    _polite_signal = signal.SIGTERM
    _crash_signal = signal.SIGKILL

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def upstream(self) -> Upstream:
        """How the emulator reaches this server."""

    @abstractmethod
    def execute(self, sql: str) -> None:
        """Run SQL as the server's administrator.

        Raises:
            RuntimeError: The server refuses it.
        """

    @abstractmethod
    def create_user(self, name: str) -> None:
        """Create a user who may log in through the emulator."""

    @abstractmethod
    def drop_user(self, name: str) -> None:
        """Drop a user."""

    @abstractmethod
    def create_database(self, name: str, *, owner: str) -> None:
        """Create a database in which the user ``owner`` may do everything."""

    @abstractmethod
    def _initialise(self) -> None:
        """Fill the empty data directory."""

    @abstractmethod
    def _command(self) -> list[str]:
        """Return the command line of the server."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Tell whether the running process accepts connections."""

    @property
    def directory(self) -> Path:
        """The directory of this server's data, socket and log, while it exists."""
        if self._directory is None:
            raise RuntimeError(f"{type(self).__name__} is used outside its 'with' block")
        return self._directory

    @property
    def _owner(self) -> pwd.struct_passwd | None:
        """The account that the processes run as, if it is not the one of this process."""
        return None

    def __enter__(self) -> Self:
        # A short path: those of unix sockets may have little more than 100 characters.
        self._directory = Path(tempfile.mkdtemp(prefix="iam-"))
        try:
            self._keeper = subprocess.Popen(  # noqa: S603 - our own script
                ["/bin/sh", "-c", _KEEPER, "keeper", str(self._directory), self._crash_signal.name.removeprefix("SIG")],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
            if self._owner is not None:
                os.chown(self._directory, self._owner.pw_uid, self._owner.pw_gid)
            self._initialise()
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # What it has in memory need not be saved: the data go with it.
        self.stop(crash=True)
        if self._keeper is not None:
            self._keeper.communicate(timeout=_STOP_TIMEOUT)
        self._keeper = self._directory = None

    def start(self) -> None:
        """Start the server on its data and wait until it accepts connections; nothing if it is running.

        Raises:
            RuntimeError: It stops again, or is not ready within a minute; the end of its log is in the message.
        """
        if self._process is not None:
            return
        with self._log() as log:
            self._process = self._spawn(self._command(), log)
        self._tell_keeper(str(self._process.pid))
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop(crash=True)
                raise RuntimeError(f"{type(self).__name__} does not start. The end of its log:\n{self._log_end()}")
            time.sleep(_POLL)

    def stop(self, *, crash: bool = False) -> None:
        """Stop the server, breaking off its connections; nothing if it is not running.

        Args:
            crash: Without any tidying up, as in a crash.
        """
        if self._process is None:
            return
        self._process.send_signal(self._crash_signal if crash else self._polite_signal)
        try:
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_TIMEOUT)
        self._process = None
        self._tell_keeper("")

    def restart(self, *, crash: bool = False) -> None:
        """Stop the server and start it again on the same data."""
        self.stop(crash=crash)
        self.start()

    def _tell_keeper(self, line: str) -> None:
        if self._keeper is not None and self._keeper.stdin is not None:
            self._keeper.stdin.write(f"{line}\n".encode())
            self._keeper.stdin.flush()

    def _run(self, command: list[str], stdin: IO[bytes] | None = None) -> None:
        """Run a program of the server to its end.

        Raises:
            RuntimeError: It fails; the end of what it said is in the message.
        """
        with self._log() as log:
            process = self._spawn(command, log, stdin)
            try:
                status = process.wait(_START_TIMEOUT)
            except BaseException:
                process.kill()
                process.wait()
                raise
        if status:
            raise RuntimeError(f"{Path(command[0]).name} fails. The end of what it says:\n{self._log_end()}")

    def _spawn(self, command: list[str], log: IO[bytes], stdin: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        owner = self._owner
        return subprocess.Popen(  # noqa: S603 - a fixed program with arguments of our own
            command,
            stdin=stdin or subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self.directory,
            user=owner and owner.pw_uid,
            group=owner and owner.pw_gid,
            extra_groups=owner and [],
            # Ctrl-C in a terminal is for the tests, which then stop the server in their own order.
            start_new_session=True,
        )

    def _log(self) -> IO[bytes]:
        return (self.directory / "log").open("ab")

    def _log_end(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join((self.directory / "log").read_text(errors="replace").splitlines()[-20:])
        return "(no log)"
