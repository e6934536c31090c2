"""Read what the caller gave, once: a DSN and keywords become a :class:`ConnectRequest`."""

import functools
import math
import os
import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType, MethodType, ModuleType, NoneType
from typing import TYPE_CHECKING, Any, NamedTuple

from aws_iam_async import dsn, endpoints, tls
from aws_iam_async.errors import ConfigurationError
from aws_iam_async.option_names import PLUGINS, nearest, refuse_unknown
from aws_iam_async.request import ConnectRequest

if TYPE_CHECKING:
    from aws_iam_async.drivers.protocol import Driver

__all__ = ["Reader", "Reading"]

FIELDS = frozenset({"host", "port", "user", "password", "database"})
TLS_OPTIONS = frozenset({"ssl", "sslmode", "sslrootcert"})
# What says how a DSN is read is not in it.
NOT_IN_DSN = frozenset({"driver", "plugins"})
# PostgreSQL 18 has no setting of such a name: those about TLS have an underscore.
NO_SETTING = r"(?i)iam|ssl(?!_)"
# Nothing that we know of is as like to a setting of PostgreSQL 18: max_size and max_wal_size are at 0.82.
MISSPELT = 0.85
REMEMBERED = 64
# Two reads of `obj.method` are two objects that compare equal, by the identity of `obj`.
COMPARABLE = (str, bytes, int, float, NoneType, MethodType, ModuleType)


class Reading(NamedTuple):
    """A request, and what is for the pool alone."""

    request: ConnectRequest
    pool_options: Mapping[str, Any]


class Reader:
    """Reads the options of one manager for one driver.

    What was read is remembered: an application says the same for each of its connections, and a pool is not the only
    one who makes many.

    Args:
        driver: Whose keywords are known.
        plugin_options: The option names that the plugins in the chain own.
        defaults: The manager's options.
    """

    def __init__(self, driver: "Driver", plugin_options: frozenset[str], defaults: Mapping[str, Any]) -> None:
        self._driver = driver
        self._plugin_options = plugin_options
        self._defaults = defaults
        self._known = FIELDS | TLS_OPTIONS | plugin_options | driver.connect_options | driver.pool_options
        # `typed`: True is no port, though it equals 1.
        self._remembered = functools.lru_cache(maxsize=REMEMBERED, typed=True)(self._read)

    def read(self, dsn: str | None, keywords: Mapping[str, Any], *, pool: bool) -> Reading:
        """Merge and check all options.

        A keyword wins over the DSN, the DSN over the manager's defaults, those over the driver's environment variables.
        ``None`` means "not given", except for the driver's own keywords, which pass through unchanged.

        Args:
            dsn: The DSN.
            keywords: The caller's options.
            pool: Whether the pool's options are welcome.

        Raises:
            ConfigurationError: An unknown or misspelt option, or a value that cannot be read.
        """
        try:
            objects, variables, complete = self._remembered(dsn, pool, **keywords)
            # What is equal need not be the same: a credentials object may compare as it likes.
            remembered = not objects or all(keywords[name] is value for name, value in objects)
        except TypeError:  # a value that cannot be hashed, such as server_settings
            remembered = False
        if not remembered:
            _, variables, complete = self._read(dsn, pool, **keywords)
        values: list[str | None] = []
        for name in variables:
            try:  # by get() what is not there, as it mostly is, takes two exceptions
                values.append(os.environ[name])
            except KeyError:
                values.append(None)
        return complete(*values)

    def _read(
        self,
        text: str | None,
        pool: bool,  # noqa: FBT001 - any keyword may be one of the caller's
        /,
        **keywords: Any,
    ) -> tuple[tuple[tuple[str, object], ...], tuple[str, ...], Callable[..., Reading]]:
        """Read all but the environment.

        Returns:
            The values that stand for themselves alone; the environment variables that are left to look up; and what
            makes a reading with their values.
        """
        given = self._merge(text, keywords)
        self._refuse(given, pool=pool)
        missing = {field: name for field, name in self._driver.variables.items() if _is_missing(given.get(field))}
        complete = functools.partial(self._complete, given, tuple(missing))
        objects = tuple((name, value) for name, value in keywords.items() if not isinstance(value, COMPARABLE))
        return objects, tuple(missing.values()), functools.lru_cache(maxsize=1)(complete)

    def _complete(self, said: Mapping[str, Any], missing: tuple[str, ...], *values: str | None) -> Reading:
        driver = self._driver
        found = {field: value for field, value in zip(missing, values, strict=True) if value is not None}
        surroundings = driver.read_environment(found)
        given = {**surroundings, **said}
        addresses = _addresses(given.get("host"), given.get("port"), surroundings.get("port"), driver.default_port)
        (host, port), alternates = addresses[0], addresses[1:]
        protection = tls.read(ssl=given.get("ssl"), sslmode=given.get("sslmode"), sslrootcert=given.get("sslrootcert"))
        request = ConnectRequest(
            driver=driver.name,
            host=host,
            port=port,
            user=_text(given, "user"),
            database=_text(given, "database"),
            password=given.get("password"),
            tls=protection._replace(alpn=driver.alpn),
            options=_only(given, self._plugin_options),
            driver_options=_only(given, driver.connect_options),
            alternates=tuple((host, port) for host, port in alternates if host is not None),
            login_rejected=driver.login_rejected,
        )
        return Reading(request, _only(given, driver.pool_options))

    def _merge(self, text: str | None, keywords: Mapping[str, Any]) -> dict[str, Any]:
        driver = self._driver
        from_dsn = {} if text is None else _from_dsn(dsn.parse(text), driver, self._plugin_options, keywords)
        given: dict[str, Any] = {}
        for layer in (self._defaults, from_dsn, keywords):
            if any(layer.get(name) is not None for name in ("ssl", "sslmode")):
                # Both say how to protect the connection: whoever says either, says all of it.
                for name in TLS_OPTIONS:
                    given.pop(name, None)
            for name, value in layer.items():
                if value is not None or name in driver.connect_options or name in driver.pool_options:
                    field = driver.aliases.get(name, name)
                    earlier = given.get(field)
                    # Settings for the server add up, as in asyncpg.
                    if isinstance(earlier, Mapping) and isinstance(value, Mapping):
                        value = {**earlier, **value}  # noqa: PLW2901 - what the layers say together
                    given[field] = value
        return given

    def _refuse(self, given: Mapping[str, Any], *, pool: bool) -> None:
        driver = self._driver
        for name in given:
            if name in driver.refused:
                raise ConfigurationError(f"{name}: {driver.refused[name]}")
            if name in driver.pool_options and not pool:
                raise ConfigurationError(f"{name} is an option of a pool: pass it to create_pool(), not to connect()")
        refuse_unknown(given, self._known, nobody=f"neither {driver.name} nor a plugin in the chain")
        seconds = given.get(driver.time_limit)
        if seconds is None:
            return
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            raise ConfigurationError(
                f"{driver.time_limit} must be a number of seconds, or None for no limit, not {type(seconds).__name__}"
            )
        try:
            number = not math.isnan(seconds)
        except OverflowError:
            number = False
        if not number:
            raise ConfigurationError(
                f"{driver.time_limit} is not a number (nan) or far too large; pass seconds, or None for no limit"
            )


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, (list, tuple)) and None in value)


def _only(given: Mapping[str, Any], names: Collection[str]) -> Mapping[str, Any]:
    return MappingProxyType({name: given[name] for name in given if name in names})


def _from_dsn(
    parts: dsn.Dsn, driver: "Driver", plugin_options: Collection[str], keywords: Mapping[str, Any]
) -> dict[str, Any]:
    own: dict[str, Any] = {}
    rest: dict[str, str] = {}
    keywords_only = (driver.connect_options | driver.pool_options | NOT_IN_DSN) - driver.query_options
    known = keywords_only | driver.query_options | FIELDS | TLS_OPTIONS | frozenset(plugin_options)
    for name, value in parts.query.items():
        if name in plugin_options or name in TLS_OPTIONS:
            own[name] = value
        elif name in FIELDS or name in driver.aliases:
            own[driver.aliases.get(name, name)] = value
        elif name in driver.query_options:
            rest[name] = value
        elif name in keywords_only:
            raise ConfigurationError(f"dsn: {name} is not read there; pass it as a keyword")
        elif "." not in name and (
            re.match(NO_SETTING, name)
            or nearest(name, plugin_options)
            or nearest(name, known | PLUGINS, likeness=MISSPELT)
        ):
            # asyncpg sends what it does not know to the server, with the login: a misspelt option must not get there.
            refuse_unknown([name], known, nobody=f"neither {driver.name} nor a plugin in the chain")
        else:
            rest[name] = value
    own |= driver.read_query(rest)
    own |= {
        name: value
        for name, value in (("user", parts.user), ("password", parts.password), ("database", parts.database))
        if value is not None
    }
    if len(parts.hosts) == 1:
        ((host, port),) = parts.hosts
        own |= {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    elif parts.hosts and keywords.get("host") is None:
        own["host"] = [host for host, _ in parts.hosts]
        own["port"] = [own.get("port") if port is None else port for _, port in parts.hosts]
    return own


def _addresses(host: Any, port: Any, fallback: Any, default_port: int) -> list[tuple[str | None, int]]:
    hosts = list(host) if isinstance(host, (list, tuple)) else [host]
    if not hosts:
        raise ConfigurationError("host is an empty list; name at least one host")
    if len(hosts) > 1 and None in hosts:
        raise ConfigurationError("one of the hosts is empty; remove the extra comma or name the host")
    ports = _ports(port, len(hosts))
    fallbacks = _ports(fallback, len(hosts)) if None in ports else ports
    return [
        (_host(host), endpoints.parse_port(next((p for p in (port, other) if p is not None), default_port), "port"))
        for host, port, other in zip(hosts, ports, fallbacks, strict=True)
    ]


def _ports(port: Any, hosts: int) -> list[Any]:
    ports = list(port) if isinstance(port, (list, tuple)) else [port]
    if len(ports) == 1:
        ports *= hosts
    if len(ports) != hosts:
        raise ConfigurationError(f"{len(ports)} ports for {hosts} hosts: give one port, or one for each host")
    return ports


def _host(host: Any) -> str | None:
    if host is None:
        return None
    if not isinstance(host, str):
        raise ConfigurationError(f"host must be a text, not {type(host).__name__}")
    if not host or not host.isprintable() or " " in host:  # the one white space that is printable
        raise ConfigurationError("host is empty or holds white space or control characters")
    return str.__str__(host)  # as in _text()


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and (not isinstance(value, str) or not value or "\0" in value):
        raise ConfigurationError(f"{name} must be a text that is not empty and holds no NUL")
    if value is not None and any("\ud800" <= character <= "\udfff" for character in value):
        raise ConfigurationError(f"{name} holds half of a character (a lone surrogate), which has no UTF-8 form")
    # Of a member of a `class User(str, Enum)`, str() and f-strings make its name.
    return None if value is None else str.__str__(value)
