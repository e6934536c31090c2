"""Local databases with emulators in front of them, and programs that run in their environment: for the command line."""

import contextlib
import errno
import itertools
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from aws_iam_async import testing
from aws_iam_async.testing.account import CREDENTIALS_VARIABLES

USER = "app"
DATABASE = "shop"

_DRIVERS = {"postgresql": "asyncpg", "mysql": "aiomysql"}
_ENV_FILE_TITLE = "# Written by aws-iam-async emulate, and removed when it ends."
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_GRACE = 5.0
_POLL_INTERVAL = 0.02


class LocalError(Exception):
    """A server does not start, a file cannot be written, or a command cannot be run."""


@contextlib.contextmanager
def local_endpoints(
    protocols: Sequence[str], *, ports: Sequence[int] = (), signed_ports: Sequence[int] = ()
) -> Iterator[list["testing.Emulator"]]:
    """Start servers with an emulator in front of each, and remove them afterwards.

    They share one AWS account. Each has a database ``shop`` that belongs to the user ``app``.

    Args:
        protocols: ``"postgresql"`` or ``"mysql"``, one for each server.
        ports: The ports to listen on, in the same order. Default: free ports.
        signed_ports: The ports that tokens must be signed for, in the same order. Default: the listening ports.

    Raises:
        LocalError: A server does not start, or a port is in use.
        ModuleNotFoundError: The extra ``testing`` is not installed.
    """
    account = testing.Account()
    with contextlib.ExitStack() as stack:
        emulators = []
        for protocol, port, signed_port in itertools.zip_longest(protocols, ports, signed_ports):
            try:
                server = testing.PostgresServer() if protocol == "postgresql" else testing.MariadbServer()
                stack.enter_context(server)
                server.create_user(USER)
                server.create_database(DATABASE, owner=USER)
                emulator = testing.Emulator(server, account=account, port=port or 0, signed_port=signed_port)
                emulators.append(stack.enter_context(emulator))
            except (OSError, RuntimeError) as error:
                if port and isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                    problem = f"--port {port} is in use: pass another port, or omit --port to listen on a free one"
                    raise LocalError(problem) from error
                raise LocalError(str(error)) from error
        yield emulators


def variables_for(emulators: Sequence["testing.Emulator"]) -> dict[str, str]:
    """Return the environment variables with which clients log in: a new access key, and addresses for each emulator."""
    variables = emulators[0].account.create_access_key().environment
    for emulator in emulators:
        protocol = emulator.upstream.protocol
        scheme = f"{protocol}+{_DRIVERS[protocol]}"
        variables[f"{protocol.upper()}_DSN"] = emulator.iam_dsn(USER, DATABASE)
        variables[f"{protocol.upper()}_SQLALCHEMY_URL"] = emulator.iam_dsn(USER, DATABASE, scheme=scheme)
        variables[f"{protocol.upper()}_CA_FILE"] = str(emulator.ca_file)
    return variables


def shell_lines(variables: Mapping[str, str]) -> list[str]:
    """Return lines for a shell that set the variables, and unset those of another account's credentials."""
    others = [name for name in CREDENTIALS_VARIABLES if name not in variables]
    return [f"unset {' '.join(others)}", *(f"export {name}={shlex.quote(value)}" for name, value in variables.items())]


@contextlib.contextmanager
def env_file(path: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Write the variables to a file that only its owner can read, and remove it at the end.

    The file appears with its whole content: ``NAME=value`` for each variable, where needed in quotes as for a shell.

    Raises:
        LocalError: The file cannot be written, or exists and is not one of this function's.
    """
    lines = [_ENV_FILE_TITLE, *(f"{name}={shlex.quote(value)}" for name, value in variables.items())]
    try:
        if path.exists() and not path.read_text(errors="replace").startswith(_ENV_FILE_TITLE):
            raise LocalError(f"{path} exists, and is not a file of this command. Choose another file, or remove it.")
        # Mode 600. In the same directory, because a file can be replaced only by one of its own file system.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f"{path.name}.", delete=False) as file:
            file.write("\n".join([*lines, ""]))
        Path(file.name).replace(path)
    except OSError as error:
        raise LocalError(f"{path} cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def run(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a command with the variables, and end what it leaves behind.

    The command has a session of its own. Signals that this process receives are passed on to all of its processes, so
    that each gets Ctrl-C once.

    Returns:
        Its exit status, or 128 and the number of the signal that ended it, as in a shell.

    Raises:
        LocalError: The command cannot be started.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in CREDENTIALS_VARIABLES}
    started: list[subprocess.Popen[bytes]] = []
    pending: list[int] = []  # signals that arrive while it is started

    def forward(number: int, _frame: FrameType | None) -> None:
        if started:
            _signal_group(started[0].pid, number)
        else:
            pending.append(number)

    previous = {number: signal.getsignal(number) for number in _FORWARDED}
    try:
        for number, handler in previous.items():
            if handler is not signal.SIG_IGN:  # as in a background job of a shell
                signal.signal(number, forward)
        environment = inherited | dict(variables)
        started.append(subprocess.Popen(command, env=environment, start_new_session=True))  # noqa: S603 - the user's own
        for received in pending:
            _signal_group(started[0].pid, received)
        status = started[0].wait()
    except OSError as error:
        raise LocalError(f"{command[0]!r} cannot be run: {error.strerror}") from error
    finally:
        for process in started:
            _end_group(process)
        for number, handler in previous.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def _signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group, and return whether it still has processes."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS refuses if all of them have ended
        return False
    return True


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End the processes of a command: politely, then by force."""
    _signal_group(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE
    while (process.poll() is None or _signal_group(process.pid, 0)) and time.monotonic() < deadline:
        time.sleep(_POLL_INTERVAL)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()
