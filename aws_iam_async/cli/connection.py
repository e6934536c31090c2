"""How to reach a database and as whom: the arguments that commands share."""

import functools
import re
from collections.abc import Callable
from typing import Any

import click

__all__ = ["connection_arguments", "spelt_for_the_shell"]

# Options of connect() by their names there.
OPTIONS = {
    "driver": click.option("--driver", metavar="NAME", help="asyncpg or aiomysql; default: what the scheme says."),
    "host": click.option("--host", metavar="HOST", help="The host to dial."),
    "port": click.option("--port", type=int, metavar="PORT", help="The port to dial."),
    "user": click.option("--user", metavar="NAME", help="The database user."),
    "database": click.option("--database", metavar="NAME", help="The database."),
    "iam_host": click.option("--iam-host", metavar="HOST", help="The RDS endpoint to sign for, if another is dialled."),
    "iam_default_port": click.option(
        "--iam-default-port", metavar="PORT", help="The port to sign for, if another is dialled."
    ),
    "iam_region": click.option("--iam-region", metavar="REGION", help="The region to sign for."),
    "profile": click.option("--profile", metavar="NAME", help="The AWS profile; default: the SDK's default chain."),
    "sslmode": click.option("--sslmode", metavar="MODE", help="verify-full (default), verify-ca or require."),
    "sslrootcert": click.option("--sslrootcert", metavar="FILE", help="The only certificates to trust, in PEM."),
}


def connection_arguments(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument ``dsn``, and ``options`` with those that were given, as ``connect()`` takes them.

    An option wins over the DSN, whose query may hold all the others that ``connect()`` knows.
    """

    @functools.wraps(command)
    def with_options(dsn: str, **parameters: Any) -> None:
        given = {name: parameters.pop(name) for name in OPTIONS}
        command(dsn, options={name: value for name, value in given.items() if value is not None}, **parameters)

    for decorator in reversed(OPTIONS.values()):
        with_options = decorator(with_options)
    return click.argument("dsn")(with_options)


# ``name=``, ``name='value'``: how the library's messages spell an option that is to be passed. Not ``?name=value``.
_KEYWORD = re.compile(rf"\b({'|'.join(OPTIONS)})=(?:'([^']*)'|(?=[\s,;:.)]|$))")


def spelt_for_the_shell(message: str) -> str:
    """Return a message of the library with the keywords of ``connect()`` as options of the command line."""
    # The one option of the credentials that no shell can give.
    message = message.replace("profile= or credentials=", "profile=")
    return _KEYWORD.sub(_flag, message)


def _flag(keyword: re.Match[str]) -> str:
    name, value = keyword.groups()
    return f"--{name.replace('_', '-')}" + ("" if value is None else f" {value}")
