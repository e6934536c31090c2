"""Options: a DSN, keywords, a manager's options and environment variables become one :class:`ConnectRequest`."""

import functools
import inspect
import math
import os
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple

from aws_iam_async import endpoints, tls
from aws_iam_async.drivers.protocol import Driver
from aws_iam_async.errors import ConfigurationError
from aws_iam_async.names import meant_instead_of_setting, nearest, refuse_unknown
from aws_iam_async.options import dsn
from aws_iam_async.request import ConnectRequest
from aws_iam_async.secret import Secret

FIELDS = frozenset({"host", "port", "user", "password", "database"})
TLS_OPTIONS = frozenset({"ssl", "sslmode", "sslrootcert"})
_ALTERNATIVES = (frozenset({"ssl", "sslmode"}), frozenset({"profile", "credentials"}))
# These decide how a DSN is read, so they cannot be in it.
_NOT_IN_DSN = frozenset({"driver", "plugins"})
# No known option is so similar to a setting of PostgreSQL 18: max_size and max_wal_size are at 0.82.
_MISSPELLED = 0.85
_LONGEST_TIME_LIMIT = 10**9
# The keyword for settings of the server, which some drivers read from a DSN as well.
_SETTINGS = "server_settings"
_REFUSED = {"plugins": "a manager's plugins are chosen when it is made; pass them to PluginManager(plugins=...)"}
_PLAIN_TYPES = frozenset({str, bytes, int, float, bool, NoneType})
_PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"


class Options(NamedTuple):
    """The result of reading: a request, and the options of the pool."""

    request: ConnectRequest
    pool_options: Mapping[str, Any]


class OptionsReader:
    """Reads the options of one manager for one driver. ``defaults`` are the manager's own options."""

    def __init__(
        self,
        driver: Driver,
        plugins: str,
        plugin_options: frozenset[str],
        defaults: Mapping[str, Any],
        own_login: str | None = None,
    ) -> None:
        self._driver = driver
        self._plugin_options = plugin_options
        self._defaults = defaults
        self._own_login = own_login
        self._keywords_only = (driver.connect_options | driver.pool_options | _NOT_IN_DSN) - driver.query_options
        self._known = FIELDS | TLS_OPTIONS | plugin_options | driver.connect_options | driver.pool_options
        self._in_query = self._known | driver.query_options | _NOT_IN_DSN
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
        options = read(text, pool, environment, **keywords)
        if options.request.password is not None and self._own_login:
            warnings.warn(f"password is ignored: {self._own_login}", UserWarning, stacklevel=_callers_level())
        return options

    def _read(
        self,
        text: str | None,
        pool: bool,  # noqa: FBT001 - keywords may have any name
        environment: tuple[str | None, ...],
        /,
        **keywords: Any,
    ) -> Options:
        driver = self._driver
        from_dsn = {} if text is None else self._from_dsn(dsn.parse(text))
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
            password=_password(given.get("password")),
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
        refused = {**_REFUSED, **driver.refused}
        for name in given:
            if name in refused:
                raise ConfigurationError(f"{name}: {refused[name]}")
            if name in driver.pool_options and not pool:
                raise ConfigurationError(f"{name} is an option of a pool: pass it to create_pool(), not to connect()")
            if name not in self._known:
                is_setting = driver.query_has_settings and not self._looks_like_an_option(name)
                advice = f"pass a setting of the server as {_SETTINGS}={{{name!r}: ...}}" if is_setting else ""
                refuse_unknown([name], self._known, where=self._where, other=advice)
        self._check_settings(given.get(_SETTINGS))
        seconds: Any = given.get(driver.time_limit)
        is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        in_range = is_number and (seconds == math.inf or 0 <= seconds <= _LONGEST_TIME_LIMIT)  # nan is neither
        if seconds is not None and not in_range:
            raise ConfigurationError(
                f"{driver.time_limit} must be a number of seconds from 0 to {_LONGEST_TIME_LIMIT}, or None for no limit"
            )

    def _check_settings(self, settings: Any) -> None:
        for name in settings if isinstance(settings, Mapping) else ():
            if name in self._known:
                raise ConfigurationError(f"{_SETTINGS}: {name!r} is no setting of the server; pass it as a keyword")
            if isinstance(name, str) and meant_instead_of_setting(name):
                refuse_unknown([name], self._known, where=f"in {_SETTINGS} {self._where}")

    def _from_dsn(self, parts: dsn.Dsn) -> dict[str, Any]:
        given = self._from_query(parts.query)
        for name, value in (("user", parts.user), ("password", parts.password), ("database", parts.database)):
            if value is not None:
                if name in given:
                    raise ConfigurationError(f"dsn: {name} is given before and after the '?'; remove one")
                given[name] = value
        return given | _places(parts.hosts)

    def _from_query(self, query: Mapping[str, str]) -> dict[str, Any]:
        driver = self._driver
        given: dict[str, Any] = {}
        for_driver: dict[str, str] = {}
        for name, value in _by_field(query, driver).items():
            if name in self._plugin_options or name in TLS_OPTIONS or name in FIELDS:
                given[name] = value
            elif name in driver.query_options:
                for_driver[name] = value
            elif name in self._keywords_only:
                raise ConfigurationError(f"dsn: {name} cannot be set there; pass it as a keyword (or in connect_args)")
            else:
                if not driver.query_has_settings or self._looks_like_an_option(name):
                    refuse_unknown([name], self._in_query, where=self._where, keywords=self._keywords_only)
                for_driver[name] = value
        return {**driver.read_query(for_driver), **given}

    def _looks_like_an_option(self, name: str) -> bool:
        """Whether a name is a misspelled option: asyncpg would send it to the server as a setting, with the login."""
        return meant_instead_of_setting(name) is not None or (
            "." not in name
            and bool(nearest(name, self._plugin_options) or nearest(name, self._in_query, likeness=_MISSPELLED))
        )


def merge(*layers: Mapping[str, Any], driver: Driver) -> dict[str, Any]:
    """Merge layers of options: the rule of precedence. Later layers win.

    ``None`` is "not given", except for the driver's own keywords. ``ssl`` and ``sslmode`` replace each other, and so do
    ``profile`` and ``credentials``. An earlier ``sslrootcert`` stays in place. Only an ``SSLContext`` or ``ssl=False``
    replaces all options for TLS. A host leaves an earlier port in place, but not a list of ports.
    """
    own_keywords = driver.connect_options | driver.pool_options
    given: dict[str, Any] = {}
    for layer in layers:
        replaces_all = isinstance(layer.get("ssl"), tls.OpenSSLContext) or layer.get("ssl") is False
        replaced = TLS_OPTIONS if replaces_all else frozenset()
        for names in _ALTERNATIVES:
            if any(layer.get(name) is not None for name in names):
                replaced |= names
        if layer.get("host") is not None and isinstance(given.get("port"), list) and len(given["port"]) > 1:
            replaced |= {"port"}
        given = {name: value for name, value in given.items() if name not in replaced}
        for field, value in _by_field(layer, driver).items():
            if value is None and field not in own_keywords:
                continue
            earlier = given.get(field)
            if isinstance(earlier, Mapping) and isinstance(value, Mapping):  # settings for the server add up in asyncpg
                given[field] = {**earlier, **value}
            else:
                given[field] = value
    return given


def _by_field(layer: Mapping[str, Any], driver: Driver) -> dict[str, Any]:
    """Replace the driver's other names for fields. Two names of one field in one layer are refused."""
    given: dict[str, Any] = {}
    for name, value in layer.items():
        field = driver.aliases.get(name, name)
        if field in layer and field != name and value is not None and layer[field] is not None:
            raise ConfigurationError(f"{name} and {field} are two names of one option; pass one of them")
        if value is not None or field not in given:
            given[field] = value
    return given


def _callers_level() -> int:
    """Return the ``stacklevel`` of the first line outside this package, for a warning of the calling function."""
    level, frame = 0, inspect.currentframe()
    while frame and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level


def _equal_only_if_same(value: object) -> bool:
    """Whether a value may be part of a cache key: objects of other types may be equal without being the same."""
    return type(value) in _PLAIN_TYPES or (type(value).__eq__ is object.__eq__ and value.__hash__ is not None)


def _only(given: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: given[name] for name in given if name in names}


def _password(value: Any) -> Any:
    if value is None or isinstance(value, Secret) or callable(value):
        return value
    if not isinstance(value, str):
        raise ConfigurationError(f"password must be a string, not {type(value).__name__}")
    return Secret(str.__str__(value))


def _from_environment(values: Mapping[str, str | None]) -> dict[str, Any]:
    """Parse the driver's variables as libpq does: lists of hosts and ports; an empty variable is not given."""
    given = {name: value for name, value in values.items() if value}
    hosts = dsn.split_hosts(given.pop("host", ""), source="PGHOST", bare_ipv6=True)
    ports = [port or None for port in given.pop("port", "").split(",")]
    return given | _places(dsn.with_ports(hosts or ((None, None),) * len(ports), ports))


def _places(hosts: dsn.Hosts) -> dict[str, list[str | None]]:
    """Return hosts and their ports as the options ``host`` and ``port``."""
    columns = {"host": [host for host, _ in hosts], "port": [port for _, port in hosts]}
    return {name: values for name, values in columns.items() if any(values)}


def _addresses(host: Any, *ports: Any) -> list[tuple[str | None, int]]:
    """Return each host with its port: the first that is given of ``ports``, each for all hosts or a list."""
    hosts: dsn.Hosts = tuple((name, None) for name in (host if isinstance(host, (list, tuple)) else [host]))
    if not hosts:
        raise ConfigurationError("host is an empty list; name at least one host")
    if len(hosts) > 1 and (None, None) in hosts:
        raise ConfigurationError("one of the hosts is empty; remove the extra comma or name the host")
    for port in ports:
        hosts = dsn.with_ports(hosts, port if isinstance(port, (list, tuple)) else [port])
    return [(_host(name), endpoints.parse_port(port, "port")) for name, port in hosts]


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
