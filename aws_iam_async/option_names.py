"""Names of options: which are known, and which was meant. Pure."""

from collections.abc import Collection, Iterable

from aws_iam_async.errors import ConfigurationError
from aws_iam_async.plugins.iam.login import OPTION_NAMES as IAM_OPTIONS

__all__ = ["nearest", "refuse_unknown"]

WITH_TELEMETRY = 'plugins="otel,iam"'
IN_MANAGER = "PluginManager(refresh=...)"
# What everything with options takes beside them, and what takes their place.
PLUGINS = frozenset({"plugins", WITH_TELEMETRY, IN_MANAGER})
# What the AWS Advanced NodeJS, JDBC and Python wrappers call them, libpq and other drivers, in lower case and without
# underscores.
FOREIGN_NAMES = {
    "iamexpiration": "iam_token_expiration",
    "iamport": "iam_default_port",
    "awsprofile": "profile",
    "awscredentialsprovider": "credentials",
    "customawscredentialproviderhandler": "credentials",
    "awscredentialsmanager": "credentials",
    "wrapperplugins": "plugins",
    "enabletelemetry": WITH_TELEMETRY,
    "sslca": "sslrootcert",
    "connecttimeout": "timeout",
    "timeout": "connect_timeout",
    "dbname": "database",
    "username": "user",
    "db": "database",
    "sslcontext": "ssl",
    "refresh": IN_MANAGER,
}


def nearest(name: str, known: Collection[str], *, likeness: float = 0.75) -> str | None:
    """Return the known name that was probably meant, or ``None``.

    Args:
        name: As the user wrote it, in any spelling: ``iamRegion``, ``iam-region``.
        known: The names to choose from.
        likeness: How much of the two has to be the same, from 0 to 1.
    """
    plain = {option.replace("_", ""): option for option in known}
    wanted = name.replace("_", "").replace("-", "").lower()
    if (meant := FOREIGN_NAMES.get(wanted)) in known:
        return meant
    import difflib  # noqa: PLC0415 - half a millisecond, for names that are not known

    near = difflib.get_close_matches(wanted, plain, n=1, cutoff=likeness)
    return plain[near[0]] if near else None


def refuse_unknown(names: Iterable[str], known: Collection[str], *, nobody: str = "no plugin in the chain") -> None:
    """Refuse the first name that is not known.

    Args:
        names: What was given.
        known: What there is.
        nobody: Who does not have it, for the message: "<nobody> has it".

    Raises:
        ConfigurationError: Names the option, and the one that was probably meant.
    """
    for name in names:
        if name not in known:
            if name in IAM_OPTIONS:
                hint = "it is one of the plugin 'iam', which is not in the chain"
            elif meant := nearest(name, PLUGINS.union(known) - {name}):
                hint = f"did you mean {meant}?"
            else:
                hint = f"{nobody} has it"
            raise ConfigurationError(f"unknown option {name!r}: {hint}")
