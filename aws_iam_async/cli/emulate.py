"""``emulate``: run local databases that log in with IAM; and the same servers for ``demo``."""

import contextlib
import shlex
import signal
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import click

from aws_iam_async.testing.account import CREDENTIALS_VARIABLES

if TYPE_CHECKING:
    from aws_iam_async.testing import Emulator

__all__ = ["DATABASE", "USER", "CommandError", "emulate", "local_endpoints"]

USER = "app"
DATABASE = "shop"

SERVERS = {"postgresql": ("postgresql",), "mysql": ("mysql",), "both": ("postgresql", "mysql")}


class CommandError(Exception):
    """A command cannot go on; the user sees the message and no traceback."""


@click.command(short_help="Run local databases that log in with IAM as RDS does.")
@click.argument("server", type=click.Choice(list(SERVERS)), default="postgresql", metavar="[SERVER]")
def emulate(server: str) -> None:
    """Run local databases that log in with IAM as RDS does, until Ctrl-C.

    SERVER is postgresql (default), mysql (MariaDB, from the system's package mariadb-server-core), or both. Prints
    shell lines to source.
    """
    with contextlib.suppress(KeyboardInterrupt), local_endpoints(SERVERS[server]) as emulators:
        click.echo("\n".join(_shell_lines(emulators)))
        while True:
            signal.pause()


@contextlib.contextmanager
def local_endpoints(protocols: Iterable[str]) -> "Iterator[list[Emulator]]":
    """Start servers with an emulator in front of each, and remove them afterwards.

    They share one AWS account. Each has a database ``shop`` that belongs to the user ``app``.

    Args:
        protocols: ``"postgresql"`` or ``"mysql"``, one for each server.

    Raises:
        CommandError: A server does not start.
        ModuleNotFoundError: The extra ``testing`` is not installed.
    """
    from aws_iam_async import testing  # noqa: PLC0415 - needs the extra testing

    account = testing.Account()
    with contextlib.ExitStack() as stack:
        emulators = []
        for protocol in protocols:
            try:
                server = testing.PostgresServer() if protocol == "postgresql" else testing.MariadbServer()
                stack.enter_context(server)
                server.create_user(USER)
                server.create_database(DATABASE, owner=USER)
                emulators.append(stack.enter_context(testing.Emulator(server, account=account)))
            except (OSError, RuntimeError) as error:
                raise CommandError(str(error)) from error
        yield emulators


def _shell_lines(emulators: "list[Emulator]") -> list[str]:
    key = emulators[0].account.create_access_key()
    variables = {"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": key.secret_key}
    for emulator in emulators:
        query = urlencode({"iam_host": emulator.host, "sslrootcert": emulator.ca_file}, safe="/")
        protocol = emulator.upstream.protocol.upper()
        variables[f"{protocol}_DSN"] = f"{emulator.dsn(USER, DATABASE)}?{query}"
        variables[f"{protocol}_CA_FILE"] = str(emulator.ca_file)
    return [
        "# Source these lines in another shell. Ctrl-C here stops the servers and removes them.",
        # The SDK would use variables of another account with the emulator's key.
        f"unset {' '.join(name for name in CREDENTIALS_VARIABLES if name not in variables)}",
        *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
    ]
