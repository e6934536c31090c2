"""Names of options, drivers and plugins: which ones are known, and which one was meant."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from aws_iam_async.errors import ConfigurationError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

CREDENTIALS_OPTIONS = frozenset({"credentials", "external_id", "profile", "role_arn", "role_session_name"})
"""The options that name a source of AWS credentials."""

PLUGIN_OPTIONS: Mapping[str, frozenset[str]] = {
    "iam": CREDENTIALS_OPTIONS
    | {"cluster_instance_host_pattern", "iam_default_port", "iam_host", "iam_region", "iam_token_expiration"},
    "role": frozenset({"role"}),
    "secrets_manager": CREDENTIALS_OPTIONS
    | {"iam_host", "iam_region", "secret_endpoint", "secret_expiration", "secret_id", "secret_password_property"}
    | {"secret_region", "secret_username_property"},
}
"""The options that the built-in plugins own, by plugin code."""

# Foreign names and ours, in lower case and without underscores. The foreign ones are those of the AWS Advanced NodeJS,
# JDBC and Python wrappers, of the Aurora DSQL connector, of libpq, of SQLAlchemy and of other drivers. Some of ours are
# no options of a connection.
_FOREIGN_NAMES = {
    "assumerolearn": "rolearn",
    "iamport": "iamdefaultport",
    "awssecretsmanager": "secretsmanager",
    "awssecretsmanager2": "secretsmanager",
    "tokendurationsecs": "iamtokenexpiration",
    "secretarn": "secretid",
    "secretname": "secretid",
    "secretsmanagersecretid": "secretid",
    "secretsmanagerregion": "secretregion",
    "secretsmanagerendpoint": "secretendpoint",
    "secretsmanagersecretusernameproperty": "secretusernameproperty",
    "secretsmanagersecretpasswordproperty": "secretpasswordproperty",
    "secretsmanagersecretusernamekey": "secretusernameproperty",
    "secretsmanagersecretpasswordkey": "secretpasswordproperty",
    "secretsmanagerexpiration": "secretexpiration",
    "secretsmanagerexpirationsec": "secretexpiration",
    "failover": "role",
    "failover2": "role",
    "failoverv2": "role",
    "enabletelemetry": 'plugins="otel,iam"',
    "enableiamauth": 'plugins="iam"',
    "iam": 'plugins="iam"',
    "iamauth": 'plugins="iam"',
    "useiamauth": 'plugins="iam"',
    "refresh": "PluginManager(refresh=...)",
    "wrapperplugins": "plugins",
    "sslca": "sslrootcert",
    "sslcontext": "ssl",
    "connecttimeout": "timeout",
    "timeout": "connecttimeout",
    "applicationname": "programname",
    "dbname": "database",
    "db": "database",
    "username": "user",
    "hostaddr": "host",
    "init": "configure",
    "maxinactiveconnectionlifetime": "maxidle",
    "poolrecycle": "maxconnectionlifetime",
    "maxconnectionlifetime": "poolrecycle",
    "maxlifetime": "maxconnectionlifetime",
    "poolsize": "maxsize",
    "recordclass": "rowfactory",
    "maxsize": "poolsize",
    "maxoverflow": "maxsize",
}
# Names that are meant for AWS or may hold a secret, with the option that was probably meant. PostgreSQL 18 has no such
# settings: for TLS they begin with "ssl_". A custom setting has a dot in its name.
_NEVER_SETTINGS = {
    "iam_region": r"iam(?!\.)|[^.]*region",
    "role_arn": r"role[^.]|assume|[^.]*role[_-]?arn",
    "external_id": r"[^.]*external[_-]?id",
    "role_session_name": r"[^.]*session[_-]?name",
    "cluster_instance_host_pattern": r"cluster[_-]?instance",
    "profile": r"profile$",
    "credentials": r"(.*\.)?aws|.*(secret|token|credential|(access|api|private)[_-]?key)|sts[_-]",
    "password": r".*(passw(or)?d|passphrase|pwd)$|pass$",
    "sslmode": r"ssl(?![_.])",
}


def meant_instead_of_setting(name: str) -> str | None:
    """Return the option that a name stands for if it is never sent as a setting: for AWS, for TLS, or for a secret."""
    matches = (option for option, pattern in _NEVER_SETTINGS.items() if re.match(pattern, name, re.IGNORECASE))
    return next(matches, None)


def shown(word: str) -> str:
    """Return a word for a message, or nothing if it is more than that: it may be a misplaced DSN with a password."""
    return f" {word!r}" if re.fullmatch(r"[\w-]{0,32}", word) else ""


def nearest(name: str, known: frozenset[str], *, likeness: float = 0.75) -> str | None:
    """Return the known name that was probably meant by a name in any spelling: ``iamRegion``, ``iam-region``."""
    plain = {option.replace("_", ""): option for option in known}
    wanted = _plain(name)
    meant = wanted if wanted in plain else _FOREIGN_NAMES.get(wanted)
    if meant and (meant in plain or not meant.isalpha()):
        return plain.get(meant, meant)
    import difflib  # noqa: PLC0415 - for errors only

    near = difflib.get_close_matches(wanted, plain, n=1, cutoff=likeness)
    return plain[near[0]] if near else None


def unknown(name: str, available: Collection[str]) -> str:
    """Return how a message about an unknown driver or plugin goes on."""
    meant = nearest(name, frozenset(available), likeness=0.6)  # the names are short
    hint = f"did you mean {meant!r}? Available" if meant else "available"
    return f"{shown(name)}; {hint}: {', '.join(available)}"


def installed(group: str) -> "EntryPoints":
    """Return the entry points of installed packages in a group."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - takes 10 ms, for names that are not built in only

    return entry_points(group=group)


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def refuse_unknown(
    names: Iterable[str], known: frozenset[str], *, where: str, keywords: frozenset[str] = frozenset(), other: str = ""
) -> None:
    """Refuse the first name that is not known, and name the option that was probably meant.

    ``keywords`` are known names that only keywords can have. ``other`` is further advice.
    """
    for name in names:
        if name in known:
            continue
        problem = f"unknown option {name!r} {where}"
        meant_name = _FOREIGN_NAMES.get(_plain(name), _plain(name))
        for code, options in PLUGIN_OPTIONS.items():
            for option in options - known:
                if option.replace("_", "") == meant_name:
                    guess = " it" if option == name else f" did you mean {option}? It"
                    raise ConfigurationError(
                        f"{problem}:{guess} needs the plugin {code!r} in plugins=; without it, remove the option"
                    )
        known |= {"plugins"}
        instead = meant_instead_of_setting(name)
        meant = nearest(name, known) or (instead if instead in known else None)
        if meant == "iam_region" and "secret_region" in known and not name.lower().startswith("iam"):
            meant = "secret_region"
        guess = f"did you mean {meant}?" if meant else "it may be a secret or an option for AWS" if instead else ""
        advice = " Or ".join(filter(None, (guess + " Pass it as a keyword" * (meant in keywords), other)))
        raise ConfigurationError(f"{problem}: {advice}" if advice else problem)
