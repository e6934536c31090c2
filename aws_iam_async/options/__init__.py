"""Options: a DSN, keywords, a manager's options and environment variables become one :class:`ConnectRequest`."""

import functools
import math
import os
from collections.abc import Collection, Mapping
from types import NoneType
from typing import Any, NamedTuple, get_args

from aws_iam_async import endpoints, tls
from aws_iam_async.drivers.protocol import Driver
from aws_iam_async.errors import ConfigurationError, warn
from aws_iam_async.names import meant_instead_of_setting, nearest, refuse_unknown
from aws_iam_async.options import dsn
from aws_iam_async.request import ConnectRequest, Role

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
# The sizes of pools, in all drivers' names.
_SIZES = frozenset({"min_size", "max_size", "minsize", "maxsize"})
_REFUSED = {"plugins": "a manager's plugins are chosen when it is made; pass them to PluginManager(plugins=...)"}
_PLAIN_TYPES = frozenset({str, bytes, int, float, bool, NoneType})
# Functions of drivers that a request passes on to plugins.
_OPTIONAL_FUNCTIONS = ("server_role", "refuses_write")


class Options(NamedTuple):
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
        self._own = FIELDS | TLS_OPTIONS | plugin_options
        self._known = self._own | driver.connect_options | driver.pool_options | _NOT_IN_DSN
        self._keywords_only = self._known - self._own - driver.query_options
        self._in_query = self._known | driver.query_options
        self._where = f"for driver {driver.name} with plugins {plugins!r}"
        # An application passes the same options for each connection. `typed`: True is not a port, though it equals 1.
        self._read_cached = functools.lru_cache(maxsize=64, typed=True)(self._read)

    def read(self, text: str | None, keywords: Mapping[str, Any], *, pool: bool) -> Options:
        """Merge and check all options.

        Keywords win over the DSN, the DSN over the manager's options, those over the driver's environment variables.
        """
        from_dsn = self._from_dsn(text)
        # As in libpq: if any host has a port of its own, PGPORT is not the port of the others.
        environment = [
            (name, os.environ.get(variable))
            for name, variable in self._driver.variables.items()
            if name not in from_dsn and keywords.get(name) is None
        ]
        read = self._read_cached if all(map(_equal_only_if_same, keywords.values())) else self._read
        options = read(text, pool, tuple(environment), **keywords)
        if options.request.password is not None and self._own_login:
            warn(f"password is ignored: {self._own_login}")
        return options

    def _read(
        self,
        text: str | None,
        pool: bool,  # noqa: FBT001 - keywords may have any name
        environment: tuple[tuple[str, str | None], ...],
        /,
        **keywords: Any,
    ) -> Options:
        driver = self._driver
        layers = (self._defaults, self._from_dsn(text), keywords)
        variables = {name: value for name, value in environment if value}
        if any(layer.get("host") is not None for layer in layers):
            variables.pop("host", None)  # its ports are for its own hosts
        from_environment = _from_environment(variables)
        given = merge(from_environment, *layers, driver=driver)
        self._check(given, pool=pool)
        addresses = _addresses(given.get("host"), given.get("port"), from_environment.get("port"), driver.default_port)
        (host, port), alternates = addresses[0], addresses[1:]
        settings = tls.parse(ssl=given.get("ssl"), sslmode=given.get("sslmode"), sslrootcert=given.get("sslrootcert"))
        request = ConnectRequest(
            driver=driver.name,
            system=driver.system,
            host=host,
            port=port,
            user=_name(given.get("user"), "user"),
            database=_name(given.get("database"), "database"),
            password=given.get("password"),
            tls=settings._replace(alpn=driver.alpn),
            options=_only(given, self._plugin_options),
            driver_options=_only(given, driver.connect_options),
            alternates=tuple((host, port) for host, port in alternates if host is not None),
            check=driver.check,
            login_rejected=driver.login_rejected,
            **{name: getattr(driver, name) for name in _OPTIONAL_FUNCTIONS if hasattr(driver, name)},
        )
        request.check(request)
        return Options(request, _only(given, driver.pool_options))

    def _check(self, given: Mapping[str, Any], *, pool: bool) -> None:
        driver = self._driver
        refused = {**_REFUSED, **driver.refused}
        for name in given:
            if name in refused:
                raise ConfigurationError(f"{name}: {refused[name]}")
            if name in driver.pool_options and not pool:
                meant = nearest(name, driver.connect_options)
                guess = f"; did you mean {meant}?" if meant else ""
                raise ConfigurationError(
                    f"{name} is an option of a pool: pass it to create_pool(), not to connect(){guess}"
                )
            if name not in self._known:
                self._refuse_unknown(name, self._known)
        for name in _SIZES & given.keys():
            size = given[name]
            if size is not None and not hasattr(size, "__index__"):  # the drivers' errors name no option
                kind = type(size).__name__
                raise ConfigurationError(f"{name} must be a whole number, not {kind}: convert it with int()")
        self._check_settings(given.get(_SETTINGS))
        password: Any = given.get("password")
        if isinstance(password, str):
            endpoints.check_text(password, "password")
        elif password is not None and not callable(password):
            raise ConfigurationError(f"password must be a string, not {type(password).__name__}")
        seconds: Any = given.get(driver.time_limit)
        is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        if seconds is not None and not (is_number and (0 <= seconds <= _LONGEST_TIME_LIMIT or seconds == math.inf)):
            raise ConfigurationError(
                f"{driver.time_limit} must be a number of seconds from 0 to {_LONGEST_TIME_LIMIT}, or None for no limit"
            )

    def _check_settings(self, settings: Any) -> None:
        for name in settings if isinstance(settings, Mapping) else ():
            if name in self._known:
                raise ConfigurationError(f"{_SETTINGS}: {name!r} is no setting of the server; pass it as a keyword")
            if isinstance(name, str) and meant_instead_of_setting(name):
                refuse_unknown([name], self._known, where=f"in {_SETTINGS} {self._where}")

    def _from_dsn(self, text: str | None) -> Mapping[str, Any]:
        if text is None:
            return {}
        parts = dsn.parse(text)
        given = self._from_query(parts.query)
        for name, value in (("user", parts.user), ("password", parts.password), ("database", parts.database)):
            if value is not None:
                if name in given:
                    raise ConfigurationError(f"dsn: {name} is given before and after the '?'; remove one")
                given[name] = value
        return given | _host_and_port(parts.hosts)

    def _from_query(self, query: Mapping[str, str]) -> dict[str, Any]:
        driver = self._driver
        given: dict[str, Any] = {}
        for_driver: dict[str, str] = {}
        for name, value in _by_field(query, driver).items():
            if name in self._keywords_only:
                or_engine = " (or in connect_args)" if name in driver.connect_options else ""
                raise ConfigurationError(f"dsn: {name} cannot be set there; pass it as a keyword{or_engine}")
            is_setting = driver.query_has_settings and self._is_setting(name) and not _is_server_role(name, value)
            if name not in self._in_query and not is_setting:
                self._refuse_unknown(name, self._in_query, keywords=self._keywords_only)
            (given if name in self._own else for_driver)[name] = value
        return {**driver.read_query(for_driver), **given}

    def _is_setting(self, name: str) -> bool:
        """Whether an unknown name may be a setting of the server, and is not a misspelled option."""
        if meant_instead_of_setting(name):
            return False
        return "." in name or not nearest(name, self._in_query, likeness=_MISSPELLED)

    def _refuse_unknown(self, name: str, known: frozenset[str], keywords: frozenset[str] = frozenset()) -> None:
        setting = self._driver.setting.format(name=name) if self._is_setting(name) else ""
        advice = f"if it is a setting of the server, pass {setting}" if setting else ""
        refuse_unknown([name], known, where=self._where, keywords=keywords, other=advice)


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
            earlier: Any = given.get(field)
            add_up = isinstance(earlier, Mapping) and isinstance(value, Mapping)  # settings for the server, in asyncpg
            given[field] = {**earlier, **value} if add_up else value
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


def _is_server_role(name: str, value: str) -> bool:
    """Whether an option is for plugin ``role``. PostgreSQL has a setting of that name, with a role of the database."""
    return name == "role" and value in get_args(Role)


def _equal_only_if_same(value: object) -> bool:
    """Whether a value may be part of a cache key: objects of other types may be equal without being the same."""
    return type(value) in _PLAIN_TYPES or (type(value).__eq__ is object.__eq__ and value.__hash__ is not None)


def _only(given: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: given[name] for name in given if name in names}


def _from_environment(variables: dict[str, str]) -> dict[str, Any]:
    """Parse the driver's variables as libpq does: lists of hosts and ports."""
    hosts = dsn.split_hosts(variables.pop("host", ""), source="PGHOST")
    ports = [port or None for port in variables.pop("port", "").split(",")]
    return {**variables, **_host_and_port(dsn.with_ports(hosts, ports))}


def _host_and_port(hosts: dsn.Hosts) -> dict[str, list[str | None]]:
    """Return hosts and their ports as the options ``host`` and ``port``."""
    columns = {"host": [host for host, _ in hosts], "port": [port for _, port in hosts]}
    return {name: values for name, values in columns.items() if any(values)}


def _addresses(host: Any, *ports: Any) -> list[tuple[str | None, int]]:
    """Return each host with its port: the first that is given of ``ports``, each for all hosts or a list."""
    names = [name or "" for name in host] or [""] if isinstance(host, (list, tuple)) else [host]
    hosts: dsn.Hosts = tuple((name, None) for name in names)
    for port in ports:
        hosts = dsn.with_ports(hosts, port if isinstance(port, (list, tuple)) else [port])
    return [(_name(name, "host"), endpoints.parse_port(port)) for name, port in hosts]


def _name(name: Any, option: str) -> str | None:
    return None if name is None else endpoints.parse_name(name, option)
