"""The exceptions of this package, one tree.

    AwsIamError
    ├── ConfigurationError            an option, a host, a DSN or a combination of them is wrong (also a ValueError)
    │   ├── RegionError               the signing region is missing or malformed
    │   ├── PluginNotFoundError       a plugin code that is not registered
    │   └── DriverNotFoundError       a driver that is not installed (also an ImportError)
    ├── CredentialsError              no AWS credentials or no secret found, or their source fails
    ├── TokenError                    any other reason why no token can be made
    ├── InsecureTransportError        the connection lacks the TLS that a secret needs
    └── WrongServerError              a plugin refused the server, because it has another role

Errors of the database stay the driver's own exceptions: ``asyncpg.PostgresError``, ``aiomysql.Error``,
``psycopg.Error``.
No class is an ``OSError``: asyncpg 0.32 reads an ``OSError`` as "this host is down, try the next one".
"""

import inspect
import warnings

_PACKAGE = __file__.rpartition("errors")[0]
FIND_CAUSE = "To find the cause, run aws-iam-async check (extra cli), or see Troubleshooting in the docs."


class AwsIamError(Exception):
    """Base of every exception that this package raises by itself.

    The docs list the messages, with causes and fixes, under Troubleshooting.
    """


class ConfigurationError(AwsIamError, ValueError):
    """An option, a host or a DSN is wrong.

    Raised before any network traffic. The message names the option and the fix.
    """


class RegionError(ConfigurationError):
    """The host does not name its AWS region. Pass ``iam_region``."""


class PluginNotFoundError(ConfigurationError):
    """A plugin code is neither built in, nor registered, nor an entry point. The message lists the known codes."""


class DriverNotFoundError(ConfigurationError, ImportError):
    """The driver is not installed. The message says which extra to install."""


class CredentialsError(AwsIamError):
    """No AWS credentials were found, or their source failed. The cause, if any, is chained.

    So are the errors of a secret in Secrets Manager: it cannot be read, or lacks what a login needs.

    Attributes:
        problem (str): The message without the remedy.
        cause (str | None): A name of the problem for programs, such as ``credentials-expired``, or ``None``.
        remedy (str | None): What to do about it, or ``None``.
        command (str | None): The command that does it, or ``None``.
    """

    def __init__(
        self, problem: str, cause: str | None = None, remedy: str | None = None, command: str | None = None
    ) -> None:
        advice = "" if remedy is None else f". {remedy}" + ("." if command is None else f": {command}")
        super().__init__(problem + advice)
        self.problem, self.cause, self.remedy, self.command = problem, cause, remedy, command


class TokenError(AwsIamError):
    """A token could not be made for another reason than configuration or credentials."""


class InsecureTransportError(AwsIamError):
    """The connection lacks the protection that the secret needs. The secret was not sent."""


class WrongServerError(AwsIamError):
    """A plugin refuses the server that a connection leads to. The connection is closed.

    The next host is tried, and after the last one all hosts again, until the time limit of the attempt. An attempt
    with a limit ends in the driver's own timeout error, with this message as a note. An attempt without a limit ends
    in this error after about 60 s.
    """


def warn(message: str) -> None:
    """Warn of the line that called this package."""
    level, frame = 1, inspect.currentframe()
    while frame and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=level)


def copy_of(error: Exception) -> Exception:
    """Return an error for one waiter alone, so that tracebacks and notes do not mix."""
    # Not by calling its type: a subclass may take other arguments.
    copy = type(error).__new__(type(error), *error.args)
    vars(copy).update(vars(error))
    if hasattr(error, "__notes__"):
        copy.__notes__ = [*error.__notes__]
    return copy
