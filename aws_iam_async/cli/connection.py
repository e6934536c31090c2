"""What the commands for a database share: its DSN, the options of ``connect()``, and reading both without dialling."""

import contextlib
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import click

from aws_iam_async import drivers
from aws_iam_async.errors import ConfigurationError
from aws_iam_async.options.dsn import parse

# Options of connect() by their names there, each with its placeholder and its help.
OPTIONS = {
    "driver": ("NAME", f"{' or '.join(drivers.BUILT_IN)}; default: from the DSN's scheme."),
    "host": ("HOST", "Host to dial."),
    "port": ("PORT", "Port to dial."),
    "user": ("NAME", "Database user."),
    "database": ("NAME", "Database."),
    "iam_host": ("HOST", "Endpoint to sign for, if another host is dialled."),
    "iam_default_port": ("PORT", "Port to sign for, if another port is dialled."),
    "iam_region": ("REGION", "Region to sign for."),
    "profile": ("NAME", "AWS profile; default: the SDK's default chain."),
    "role_arn": ("ARN", "IAM role to assume with these credentials."),
    "external_id": ("ID", "External ID that the role's trust policy requires."),
    "role_session_name": ("NAME", "Name of the role's session in AWS CloudTrail."),
    "secret_id": ("NAME", "Secret in Secrets Manager with user and password, instead of a token."),
    "secret_region": ("REGION", "Region of the secret."),
    "sslmode": ("MODE", "verify-full (default), verify-ca or require."),
    "sslrootcert": ("FILE", "The only certificates to trust, in PEM."),
}


def connection_arguments(command: Callable[..., None]) -> Callable[..., None]:
    """Pass the argument ``dsn`` and a dict ``options`` to a command, as ``connect()`` takes them.

    ``options`` holds the options on the command line, which win over the DSN's query.
    """

    @functools.wraps(command)
    def with_options(dsn: str, **parameters: Any) -> None:
        values = {name: parameters.pop(name) for name in OPTIONS}
        command(dsn, options={name: value for name, value in values.items() if value is not None}, **parameters)

    for name, (placeholder, text) in reversed(OPTIONS.items()):
        value_type = int if name == "port" else str
        with_options = click.option(_flag(name), type=value_type, metavar=placeholder, help=text)(with_options)
    return click.argument("dsn")(with_options)


def plugin_for(dsn: str, options: Mapping[str, Any]) -> str:
    """Return the code of the plugin that logs in: with a secret if an option names one, else with a token."""
    with contextlib.suppress(ConfigurationError):  # raised by what reads the DSN later
        options = {**parse(dsn).query, **options}
    return "secrets_manager" if any(name.startswith("secret_") for name in options) else "iam"


# ``name=``, ``name='value'``: how the library's messages spell an option to pass. ``?name=value`` does not match.
_KEYWORD = re.compile(rf"\b({'|'.join(OPTIONS)})=(?:'([^']*)'|(?=[\s,;:.)]|$))")


def keywords_as_flags(message: str) -> str:
    """Return a message of the library with the keywords of ``connect()`` spelled as command-line options."""
    # A shell cannot pass credentials=.
    message = message.replace("profile= or credentials=", "profile=")
    return _KEYWORD.sub(lambda match: _flag(match[1]) + ("" if match[2] is None else f" {match[2]}"), message)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
