"""Names of options: which ones are known, and which one was meant. Pure."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from aws_iam_async.errors import ConfigurationError

PLUGIN_OPTIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "iam": frozenset(
            {
                "cluster_instance_host_pattern",
                "credentials",
                "iam_default_port",
                "iam_host",
                "iam_region",
                "iam_token_expiration",
                "profile",
            }
        ),
    }
)
"""The options that the built-in plugins own, by plugin code."""

# Foreign names, in lower case and without underscores: those of the AWS Advanced NodeJS, JDBC and Python wrappers, of
# libpq and of other drivers.
_FOREIGN_NAMES = {
    "iamexpiration": "iam_token_expiration",
    "iamport": "iam_default_port",
    "awsprofile": "profile",
    "awscredentialsprovider": "credentials",
    "customawscredentialproviderhandler": "credentials",
    "awscredentialsmanager": "credentials",
    "wrapperplugins": "plugins",
    "sslca": "sslrootcert",
    "connecttimeout": "timeout",
    "timeout": "connect_timeout",
    "dbname": "database",
    "username": "user",
    "db": "database",
    "sslcontext": "ssl",
}
# Foreign names with a counterpart that is not an option of a connection.
_HINTS = {"enabletelemetry": 'plugins="otel,iam"', "refresh": "PluginManager(refresh=...)"}


def nearest(name: str, known: Collection[str], *, likeness: float = 0.75) -> str | None:
    """Return the known name that was probably meant by a name in any spelling: ``iamRegion``, ``iam-region``."""
    plain = {option.replace("_", ""): option for option in known}
    wanted = name.replace("_", "").replace("-", "").lower()
    if hint := _HINTS.get(wanted):
        return hint
    if (meant := _FOREIGN_NAMES.get(wanted)) in known:
        return meant
    import difflib  # noqa: PLC0415 - for errors only

    near = difflib.get_close_matches(wanted, plain, n=1, cutoff=likeness)
    return plain[near[0]] if near else None


def refuse_unknown(names: Iterable[str], known: Collection[str], *, where: str) -> None:
    """Refuse the first name that is not known, and name the option that was probably meant."""
    for name in names:
        if name in known:
            continue
        plugin = next((code for code, options in PLUGIN_OPTIONS.items() if name in options), None)
        if plugin is not None:
            raise ConfigurationError(f"unknown option {name!r} {where}: it needs the plugin {plugin!r} in plugins=")
        meant = nearest(name, {"plugins", *known} - {name})
        raise ConfigurationError(f"unknown option {name!r} {where}" + (f": did you mean {meant}?" if meant else ""))
