"""A database server on this machine that asks for IAM tokens, for as long as a command runs."""

import contextlib
from typing import TYPE_CHECKING, Literal

from aws_iam_async.cli.command_error import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_iam_async.testing import Account, Emulator

__all__ = ["DATABASE", "USER", "Protocol", "local_endpoint"]

Protocol = Literal["postgresql", "mysql"]

USER = "app"
DATABASE = "shop"


@contextlib.contextmanager
def local_endpoint(protocol: Protocol, *, account: "Account | None" = None) -> "Iterator[Emulator]":
    """Start a server and the emulator in front of it; both are gone afterwards.

    There is a database ``shop``, and the user ``app`` who owns it.

    Args:
        protocol: Which server.
        account: Whose access keys it trusts; default: a new account.

    Raises:
        CommandError: It does not start.
        ModuleNotFoundError: The extra ``testing`` is not installed.
    """
    from aws_iam_async.testing import Emulator, MariadbServer, PostgresServer  # noqa: PLC0415 - of the extra testing

    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(PostgresServer() if protocol == "postgresql" else MariadbServer())
            server.create_user(USER)
            server.create_database(DATABASE, owner=USER)
            emulator = stack.enter_context(Emulator(server, account=account))
        except (OSError, RuntimeError) as error:
            raise CommandError(str(error)) from error
        yield emulator
