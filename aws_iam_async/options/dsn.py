"""Parse a DSN. Pure: without environment, defaults, drivers or plugins."""

import functools
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
URL = r"(?P<scheme>[A-Za-z][\w+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?"
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


def parse(dsn: str) -> Dsn:
    """Parse ``dsn`` by the rules of RFC 3986, with libpq's comma-separated hosts.

    White space around it is not part of it. An error message never repeats the DSN, which may contain a password.
    """
    if not isinstance(dsn, str):
        how = "its text: str(dsn), or dsn.render_as_string(hide_password=False) for a URL of SQLAlchemy"
        raise ConfigurationError(f"dsn must be a string, not {type(dsn).__name__}; pass {how}")
    return _parse(dsn)


@functools.lru_cache(maxsize=128)
def _parse(dsn: str) -> Dsn:
    parts = _parts(dsn)
    login, at, places = parts["authority"].rpartition("@")
    hosts = split_hosts(places, source="dsn", encoded=True)
    if not at and "@" in parts.string and any(port and not port.isdecimal() for _, port in hosts):
        # The start of a password was parsed as a port. Later messages would repeat parts of its end.
        raise ConfigurationError("dsn: percent-encode '/' and '?' in the user name and the password, as %2F and %3F")
    query = _query(parts["query"] or "")
    if "host" in query:
        if hosts:
            raise ConfigurationError("dsn: host is given before and after the '?'; remove one")
        hosts = split_hosts(query.pop("host"), source="dsn: host")
    if "port" in query:
        ports = [port or None for port in query.pop("port").split(",")]
        if hosts and (all if len(ports) == 1 else any)(port for _, port in hosts):
            raise ConfigurationError("dsn: port is given with the host and as port=; remove one")
        hosts = with_ports(hosts, ports)
    user, colon, password = login.partition(":")
    return Dsn(
        scheme=parts["scheme"].lower(),
        user=_decode(user, "user") or None,
        password=Secret(_decode(password, "password")) if colon else None,
        hosts=hosts,
        database=_decode(parts["path"].removeprefix("/"), "database") or None,
        query=MappingProxyType(query),
    )


def _parts(dsn: str) -> re.Match[str]:
    dsn = dsn.strip()
    parts = re.fullmatch(URL, dsn, re.ASCII | re.DOTALL)
    if parts is None:
        raise ConfigurationError(
            "dsn is empty or has no scheme; write postgresql://user@host/database or mysql://... without quotes or"
            " 'jdbc:', or pass key=value pairs as keywords"
        )
    if not dsn.isprintable() or any(text in dsn for text in (" ", "#", "%00")):  # no other white space is printable
        raise ConfigurationError(
            "dsn contains white space, '#', control characters or NUL (%00); remove or percent-encode them (%20, %23)"
        )
    return parts


def split_hosts(text: str, *, source: str, encoded: bool = False) -> Hosts:
    """Split ``host:port,host:port`` into pairs; ``source`` names the DSN or the environment variable in errors.

    In the authority of a URL, hosts are percent-encoded, and IPv6 needs brackets.
    """
    return tuple(_host(host, source, encoded=encoded) for host in text.split(",")) if text else ()


def with_ports(hosts: Hosts, ports: Sequence[Any]) -> Hosts:
    """Give a port to each host that has none: one port is for all hosts, several are for one host each."""
    hosts = hosts or ((None, None),) * len(ports)
    if all(port is not None for _, port in hosts):
        return hosts
    each = [*ports] * len(hosts) if len(ports) == 1 else ports
    if len(each) != len(hosts):
        raise ConfigurationError(f"{len(ports)} ports for {len(hosts)} hosts: pass one port, or one for each host")
    return tuple((host, port if own is None else own) for (host, own), port in zip(hosts, each, strict=True))


def _decode(text: str, part: str) -> str:
    with suppress(UnicodeDecodeError):  # it contains the bytes, possibly the password's
        return unquote(text, errors="strict")
    raise ConfigurationError(f"dsn: the {part} is not percent-encoded UTF-8")


def _host(text: str, source: str, *, encoded: bool) -> tuple[str | None, str | None]:
    if not encoded and endpoints.is_ip(text):
        return text, None
    match = re.match(HOST, text)
    if match is None:
        raise ConfigurationError(
            f"{source}: a host is written name:port, or [address]:port for IPv6, several separated by commas"
        )
    host = match["bracketed"] or match["plain"]
    return (_decode(host, "host") if encoded else host) or None, match["port"] or None


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
