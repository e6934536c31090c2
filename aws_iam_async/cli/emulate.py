"""``emulate``: keep databases that ask for IAM tokens running on this machine."""

import contextlib
import shlex
import signal
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import click

from aws_iam_async.cli.local_endpoint import DATABASE, USER, Protocol, local_endpoint

if TYPE_CHECKING:
    from aws_iam_async.testing import AccessKey, Emulator

# What goes with another account's access key, and would be taken to go with the emulator's.
LEFT_BEHIND = "AWS_SECURITY_TOKEN AWS_SESSION_TOKEN AWS_CREDENTIAL_EXPIRATION"

SERVERS: dict[str, tuple[Protocol, ...]] = {
    "postgresql": ("postgresql",),
    "mysql": ("mysql",),
    "both": ("postgresql", "mysql"),
}


@click.command(short_help="Run local databases that log in with IAM as RDS does.")
@click.argument("server", type=click.Choice(list(SERVERS)), default="postgresql", metavar="[SERVER]")
def emulate(server: str) -> None:
    """Run local databases that log in with IAM as RDS does, until Ctrl-C.

    SERVER is postgresql (default), mysql (MariaDB, from the system's package mariadb-server-core), or both. Prints
    shell lines to source.
    """
    from aws_iam_async.testing import Account  # noqa: PLC0415 - of the extra testing

    account = Account()
    key = account.create_access_key()
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        emulators = [stack.enter_context(local_endpoint(protocol, account=account)) for protocol in SERVERS[server]]
        click.echo("\n".join(_shell_lines(key, emulators)))
        while True:
            signal.pause()


def _shell_lines(key: "AccessKey", emulators: "list[Emulator]") -> list[str]:
    lines = [
        "# Source these lines in another shell. Ctrl-C here stops the servers and removes them.",
        f"unset {LEFT_BEHIND}",
    ]
    variables = {"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": key.secret_key}
    for emulator in emulators:
        query = urlencode({"iam_host": emulator.host, "sslrootcert": emulator.ca_file}, safe="/")
        protocol = emulator.upstream.protocol.upper()
        variables[f"{protocol}_DSN"] = f"{emulator.dsn(USER, DATABASE)}?{query}"
        variables[f"{protocol}_CA_FILE"] = str(emulator.ca_file)
    return [*lines, *(f"export {name}={shlex.quote(value)}" for name, value in variables.items())]
