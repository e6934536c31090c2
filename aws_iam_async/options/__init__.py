"""Options: a DSN, keywords, a manager's options and environment variables become one :class:`ConnectRequest`."""

import functools
import math
import os
import re
from collections.abc import Collection, Mapping
from types import MappingProxyType, NoneType
from typing import Any, NamedTuple

from aws_iam_async import endpoints, tls
from aws_iam_async.drivers.protocol import Driver
from aws_iam_async.errors import ConfigurationError
from aws_iam_async.names import nearest, refuse_unknown
from aws_iam_async.options import dsn
from aws_iam_async.request import ConnectRequest

FIELDS = frozenset({"host", "port", "user", "password", "database"})
TLS_OPTIONS = frozenset({"ssl", "sslmode", "sslrootcert"})
# These decide how a DSN is read, so they cannot be in it.
_NOT_IN_DSN = frozenset({"driver", "plugins"})
# Names that may hold a secret or are meant for AWS. PostgreSQL 18 has no such settings: for TLS they begin with "ssl_".
_NOT_A_SETTING = r"(?i)iam|ssl(?!_)|aws|.*(secret|token|credential)|pwd|role_|external_id|(rds_)?region"
# No known option is so similar to a setting of PostgreSQL 18: max_size and max_wal_size are at 0.82.
_MISSPELLED = 0.85
_LONGEST_TIME_LIMIT = 10**9
_PLAIN_TYPES = frozenset({str, bytes, int, float, bool, NoneType})


class Options(NamedTuple):
    """The result of reading: a request, and the options of the pool."""

    request: ConnectRequest
    pool_options: Mapping[str, Any]


class OptionsReader:
    """Reads the options of one manager for one driver. ``defaults`` are the manager's own options."""

    def __init__(
        self, driver: Driver, plugins: str, plugin_options: frozenset[str], defaults: Mapping[str, Any]
    ) -> None:
        self._driver = driver
        self._plugin_options = plugin_options
        self._defaults = defaults
        self._known = FIELDS | TLS_OPTIONS | plugin_options | driver.connect_options | driver.pool_options
        self._where = f"for driver {driver.name} with plugins {plugins!r}"
        # An application passes the same options for each connection. `typed`: True is not a port, though it equals 1.
        self._read_cached = functools.lru_cache(maxsize=64, typed=True)(self._read)

    def read(self, text: str | None, keywords: Mapping[str, Any], *, pool: bool) -> Options:
        """Merge and check all options.

        Keywords win over the DSN, the DSN over the manager's options, those over the driver's environment variables.
        """
        in_dsn = frozenset() if text is None else dsn.parse(text).fields
        environment = tuple(
            [
                None if name in in_dsn or keywords.get(name) is not None else os.environ.get(variable)
                for name, variable in self._driver.variables.items()
            ]
        )
        read = self._read_cached if all(map(_equal_only_if_same, keywords.values())) else self._read
        return read(text, pool, environment, **keywords)

    def _read(
        self,
        text: str | None,
        pool: bool,  # noqa: FBT001 - keywords may have any name
        environment: tuple[str | None, ...],
        /,
        **keywords: Any,
    ) -> Options:
        driver = self._driver
        from_dsn = {} if text is None else self._from_dsn(dsn.parse(text), keywords)
        variables = dict(zip(driver.variables, environment, strict=True))
        if any(layer.get("host") is not None for layer in (self._defaults, from_dsn, keywords)):
            variables.pop("host", None)  # so that it is not validated either
        from_environment = _from_environment(variables)
        given = merge(from_environment, self._defaults, from_dsn, keywords, driver=driver)
        self._check(given, pool=pool)
        addresses = _addresses(given.get("host"), given.get("port"), from_environment.get("port"), driver.default_port)
        (host, port), alternates = addresses[0], addresses[1:]
        settings = tls.parse(ssl=given.get("ssl"), sslmode=given.get("sslmode"), sslrootcert=given.get("sslrootcert"))
        request = ConnectRequest(
            driver=driver.name,
            system=driver.system,
            host=host,
            port=port,
            user=_name(given, "user"),
            database=_name(given, "database"),
            password=given.get("password"),
            tls=settings._replace(alpn=driver.alpn),
            options=_only(given, self._plugin_options),
            driver_options=_only(given, driver.connect_options),
            alternates=tuple((host, port) for host, port in alternates if host is not None),
            login_rejected=driver.login_rejected,
        )
        driver.check(request)
        return Options(request, _only(given, driver.pool_options))

    def _check(self, given: Mapping[str, Any], *, pool: bool) -> None:
        driver = self._driver
        for name in given:
            if name in driver.refused:
                raise ConfigurationError(f"{name}: {driver.refused[name]}")
            if name in driver.pool_options and not pool:
                raise ConfigurationError(f"{name} is an option of a pool: pass it to create_pool(), not to connect()")
        refuse_unknown(given, self._known, where=self._where)
        seconds: Any = given.get(driver.time_limit)
        is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        in_range = is_number and (seconds == math.inf or 0 <= seconds <= _LONGEST_TIME_LIMIT)  # nan is neither
        if seconds is not None and not in_range:
            raise ConfigurationError(
                f"{driver.time_limit} must be a number of seconds from 0 to {_LONGEST_TIME_LIMIT}, or None for no limit"
            )

    def _from_dsn(self, parts: dsn.Dsn, keywords: Mapping[str, Any]) -> dict[str, Any]:
        given = self._from_query(parts.query)
        for name, value in (("user", parts.user), ("password", parts.password), ("database", parts.database)):
            if value is not None:
                given[name] = value
        if len(parts.hosts) == 1:
            ((host, port),) = parts.hosts
            given |= {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        elif parts.hosts and keywords.get("host") is None:
            given["host"] = [host for host, _ in parts.hosts]
            given["port"] = [given.get("port") if port is None else port for _, port in parts.hosts]
        return given

    def _from_query(self, query: Mapping[str, str]) -> dict[str, Any]:
        driver = self._driver
        keywords_only = (driver.connect_options | driver.pool_options | _NOT_IN_DSN) - driver.query_options
        known = self._known | driver.query_options | _NOT_IN_DSN
        given: dict[str, Any] = {}
        for_driver: dict[str, str] = {}
        for name, value in query.items():
            if name in self._plugin_options or name in TLS_OPTIONS:
                given[name] = value
            elif name in FIELDS or name in driver.aliases:
                given[driver.aliases.get(name, name)] = value
            elif name in driver.query_options:
                for_driver[name] = value
            elif name in keywords_only:
                raise ConfigurationError(f"dsn: {name} cannot be set there; pass it as a keyword")
            else:
                if not driver.query_has_settings or self._looks_like_an_option(name, known):
                    refuse_unknown([name], known, where=self._where)
                for_driver[name] = value
        return {**driver.read_query(for_driver), **given}

    def _looks_like_an_option(self, name: str, known: Collection[str]) -> bool:
        """Whether a name is a misspelled option: asyncpg would send it to the server as a setting, with the login."""
        return "." not in name and bool(
            re.match(_NOT_A_SETTING, name)
            or nearest(name, self._plugin_options)
            or nearest(name, known, likeness=_MISSPELLED)
        )


def merge(*layers: Mapping[str, Any], driver: Driver) -> dict[str, Any]:
    """Merge layers of options: the rule of precedence. Later layers win.

    ``None`` is "not given", except for the driver's own keywords. Options for TLS complete each other across layers:
    ``ssl`` and ``sslmode`` replace each other, and leave an earlier ``sslrootcert`` in place. Only an ``SSLContext`` or
    ``ssl=False`` replaces all of them.
    """
    own_keywords = driver.connect_options | driver.pool_options
    given: dict[str, Any] = {}
    for layer in layers:
        replaced = (
            TLS_OPTIONS if isinstance(layer.get("ssl"), tls.OpenSSLContext) or layer.get("ssl") is False else set()
        )
        if any(layer.get(name) is not None for name in ("ssl", "sslmode")):
            replaced = replaced or {"ssl", "sslmode"}
        given = {name: value for name, value in given.items() if name not in replaced}
        for name, value in layer.items():
            if value is None and name not in own_keywords:
                continue
            field = driver.aliases.get(name, name)
            earlier = given.get(field)
            if isinstance(earlier, Mapping) and isinstance(value, Mapping):  # settings for the server add up in asyncpg
                given[field] = {**earlier, **value}
            else:
                given[field] = value
    return given


def _equal_only_if_same(value: object) -> bool:
    """Whether a value may be part of a cache key: objects of other types may be equal without being the same."""
    return type(value) in _PLAIN_TYPES or (type(value).__eq__ is object.__eq__ and value.__hash__ is not None)


def _only(given: Mapping[str, Any], names: Collection[str]) -> Mapping[str, Any]:
    return MappingProxyType({name: given[name] for name in given if name in names})


def _from_environment(values: Mapping[str, str | None]) -> dict[str, Any]:
    """Parse the driver's variables as libpq does: lists of hosts and ports; an empty variable is not given."""
    given: dict[str, Any] = {name: value for name, value in values.items() if value}
    if "," in (port := given.get("port", "")):
        given["port"] = port.split(",")
    if hosts := given.get("host"):
        pairs = dsn.split_hosts(hosts, source="PGHOST")
        given["host"] = [host for host, _ in pairs]
        if any(port for _, port in pairs):
            given["port"] = [port or given.get("port") for _, port in pairs]
    return given


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
        raise ConfigurationError(f"{len(ports)} ports for {hosts} hosts: pass one port, or one for each host")
    return ports


def _host(host: Any) -> str | None:
    if host is None:
        return None
    if not isinstance(host, str):
        raise ConfigurationError(f"host must be a string, not {type(host).__name__}")
    if not host or not host.isprintable() or " " in host:  # the space is the only printable white space
        raise ConfigurationError("host is empty or contains white space or control characters")
    return str.__str__(host)  # str() of a member of a `class Host(str, Enum)` is the member's name


def _name(given: Mapping[str, Any], name: str) -> str | None:
    return None if given.get(name) is None else endpoints.parse_name(given[name], name)
