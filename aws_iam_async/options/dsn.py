"""Parse a DSN. Pure: without environment, defaults, drivers or plugins."""

import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, unquote

from aws_iam_async import endpoints
from aws_iam_async.errors import ConfigurationError
from aws_iam_async.secret import Secret

# RFC 3986, appendix B. Newer versions of urlsplit() (CPython 3.11.2 of Debian 12, 3.14) validate the whole authority as
# one address, and refuse a list of hosts.
URL = r"(?P<scheme>[A-Za-z][\w+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?P<fragment>#.*)?"
# The names of PostgreSQL's settings, which are allowed in the query, may contain dots.
OPTION_NAME = r"[A-Za-z_][\w.-]*"
HOST = r"(?:\[(?P<bracketed>[^\[\]]+)\]|(?P<plain>[^:\[\]]*))(?::(?P<port>[^:]*))?\Z"
Hosts: TypeAlias = tuple[tuple[str | None, str | None], ...]  # each with its port


class Dsn(NamedTuple):
    """The parts of ``scheme://user:password@host:port,host:port/database?name=value``, percent-decoded.

    ``hosts`` are those before and after the ``?``, each with its port. ``query`` is without them.
    """

    scheme: str
    user: str | None
    password: Secret | None
    hosts: Hosts
    database: str | None
    query: Mapping[str, str]
    fields: frozenset[str]  # the names of the parts before the query that it gives


@functools.lru_cache(maxsize=128)
def parse(dsn: str) -> Dsn:
    """Parse ``dsn`` by the rules of RFC 3986, with libpq's comma-separated hosts.

    White space around it is not part of it. An error message never repeats the DSN, which may contain a password.
    """
    parts = _parts(dsn)
    login, at, places = parts["authority"].rpartition("@")
    hosts = split_hosts(places, source="dsn")
    if not at and any(port and not port.isdecimal() for _, port in hosts):
        # The start of a password was parsed as a port. Later messages would repeat parts of its end.
        for mark, part, code in (("?", "query", "%3F"), ("/", "path", "%2F")):
            if "@" in (parts[part] or ""):
                raise ConfigurationError(f"dsn: percent-encode {mark!r} in the user name and the password, as {code}")
    query = _query(parts["query"] or "")
    if "host" in query:
        if hosts:
            raise ConfigurationError("dsn: host is given before and after the '?'; remove one")
        hosts = split_hosts(query.pop("host"), source="dsn: host", bare_ipv6=True)
    if "port" in query:
        ports = [port or None for port in query.pop("port").split(",")]
        if hosts and (all if len(ports) == 1 else any)(port for _, port in hosts):
            raise ConfigurationError("dsn: port is given with the host and as port=; remove one")
        hosts = with_ports(hosts or ((None, None),), ports)
    user, colon, password = login.partition(":")
    given = {
        "host": any(host for host, _ in hosts),
        "port": hosts and all(port for _, port in hosts),
        "user": user,
        "database": parts["path"].removeprefix("/"),
    }
    return Dsn(
        scheme=parts["scheme"].lower(),
        user=_decode(user, "user") or None,
        password=Secret(_decode(password, "password")) if colon else None,
        hosts=hosts,
        database=_decode(parts["path"].removeprefix("/"), "database") or None,
        query=MappingProxyType(query),
        fields=frozenset(name for name, value in given.items() if value),
    )


def _parts(dsn: object) -> re.Match[str]:
    if not isinstance(dsn, str | None):
        how = "dsn.render_as_string(hide_password=False)" if hasattr(dsn, "render_as_string") else "its text: str(dsn)"
        raise ConfigurationError(f"dsn must be a string, not {type(dsn).__name__}; pass {how}")
    dsn = (dsn or "").strip()
    form = "write postgresql://user@host/database or mysql://..."
    if re.match(r"\w+\s*=", dsn) and "://" not in dsn:
        raise ConfigurationError(f"dsn is a list of key=value pairs; {form}, or pass the pairs as keywords")
    if " " in dsn or not dsn.isprintable():  # the space is the only printable white space
        raise ConfigurationError("dsn contains white space or control characters; percent-encode or remove them")
    if "%00" in dsn:
        raise ConfigurationError("dsn contains a NUL (%00), which databases treat as the end of a string; remove it")
    parts = re.fullmatch(URL, dsn, re.ASCII)
    if parts is None:
        advice = "" if dsn else "it is empty, perhaps because a variable is; "
        if dsn.startswith("jdbc:"):
            advice = "remove 'jdbc:'; "
        elif dsn[:1] in {"'", '"'}:
            advice = "remove the quotes around it; "
        raise ConfigurationError(f"dsn has no scheme; {advice}{form}")
    if parts["fragment"]:
        raise ConfigurationError("dsn contains a '#': percent-encode it as %23")
    return parts


def split_hosts(text: str, *, source: str, bare_ipv6: bool = False) -> Hosts:
    """Split ``host:port,host:port`` into pairs; ``source`` names the DSN or the environment variable in errors."""
    if bare_ipv6:
        text = ",".join(f"[{host}]" if ":" in host and endpoints.is_ip(host) else host for host in text.split(","))
    return tuple(_host(host, source) for host in text.split(",")) if text else ()


def with_ports(hosts: Hosts, ports: Sequence[Any]) -> Hosts:
    """Give a port to each host that has none: one port is for all hosts, several are for one host each."""
    if all(port is not None for _, port in hosts):
        return hosts
    if len(ports) not in {1, len(hosts)}:
        raise ConfigurationError(f"{len(ports)} ports for {len(hosts)} hosts: pass one port, or one for each host")
    each = itertools.cycle(ports)
    return tuple((host, port if own is None else own) for (host, own), port in zip(hosts, each, strict=False))


def _decode(text: str, part: str) -> str:
    with suppress(UnicodeDecodeError):  # it contains the bytes, possibly the password's
        return unquote(text, errors="strict")
    raise ConfigurationError(f"dsn: the {part} is not percent-encoded UTF-8")


def _host(text: str, source: str) -> tuple[str | None, str | None]:
    match = re.match(HOST, text)
    if match is None:
        raise ConfigurationError(
            f"{source}: a host is written name:port, or [address]:port for IPv6, several separated by commas"
        )
    return _decode(match["bracketed"] or match["plain"] or "", "host") or None, match["port"] or None


def _query(text: str) -> dict[str, str]:
    query: dict[str, str] = {}
    pairs: list[tuple[str, str]] | None = None
    with suppress(ValueError):  # as in _decode()
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict") if text else []
    if pairs is None:
        raise ConfigurationError("dsn: the query is not name=value pairs separated by '&' in UTF-8")
    for name, value in pairs:
        if not re.fullmatch(OPTION_NAME, name, re.ASCII):
            raise ConfigurationError(
                "dsn: the query contains an invalid option name; percent-encode '?' and '&' elsewhere"
            )
        if name in query and name not in {"host", "port"}:
            raise ConfigurationError(f"dsn: {name!r} is in the query twice; remove one")
        query[name] = f"{query[name]},{value}" if name in query else value  # SQLAlchemy writes ?host=a:1&host=b:2
    return query
