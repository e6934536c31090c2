"""Parse a DSN. Pure: without environment, defaults, drivers or plugins."""

import functools
import re
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from aws_iam_async.errors import ConfigurationError
from aws_iam_async.secret import Secret

# RFC 3986, appendix B. Newer versions of urlsplit() (CPython 3.11.2 of Debian 12, 3.14) validate the whole authority as
# one address, and refuse a list of hosts.
URL = r"(?P<scheme>[A-Za-z][\w+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?P<fragment>#.*)?"
# The names of PostgreSQL's settings, which are allowed in the query, may contain dots.
OPTION_NAME = r"[A-Za-z_][\w.-]*"
HOST = r"(?:\[(?P<bracketed>[^\[\]]+)\]|(?P<plain>[^:\[\]]*))(?::(?P<port>[^:]*))?\Z"


class Dsn(NamedTuple):
    """The parts of ``scheme://user:password@host:port,host:port/database?name=value``, percent-decoded."""

    scheme: str
    user: str | None
    password: Secret | None
    hosts: tuple[tuple[str | None, str | None], ...]
    database: str | None
    query: Mapping[str, str]
    fields: frozenset[str]  # the names of the parts before the query that it gives


@functools.lru_cache(maxsize=128)
def parse(dsn: str) -> Dsn:
    """Parse ``dsn`` by the rules of RFC 3986, with libpq's comma-separated hosts.

    An error message never repeats the DSN, which may contain a password.
    """
    if any(character.isspace() or not character.isprintable() for character in dsn):
        raise ConfigurationError("dsn contains white space or control characters; percent-encode them")
    if "%00" in dsn:
        raise ConfigurationError("dsn contains a NUL (%00), which databases treat as the end of a string; remove it")
    parts = re.fullmatch(URL, dsn, re.ASCII)
    if parts is None:
        advice = ""
        if dsn.startswith("jdbc:"):
            advice = "remove 'jdbc:'; "
        elif dsn[:1] in {"'", '"'}:
            advice = "remove the quotes around it; "
        raise ConfigurationError(f"dsn has no scheme; {advice}write postgresql://user@host/database or mysql://...")
    if parts["fragment"]:
        raise ConfigurationError("dsn contains a '#': percent-encode it as %23")
    query = parts["query"] or ""
    login, at, places = parts["authority"].rpartition("@")
    hosts = split_hosts(places, source="dsn")
    if not at and "@" in query and any(port and not port.isdecimal() for _, port in hosts):
        # The start of a password was parsed as a port. Later messages would repeat parts of its end.
        raise ConfigurationError("dsn: percent-encode '?' in the user name and the password, as %3F")
    if not at and "@" in parts["path"] and any(port and not port.isdecimal() for _, port in hosts):
        raise ConfigurationError("dsn: percent-encode '/' in the user name and the password, as %2F")
    user, colon, password = login.partition(":")
    given = {"host": hosts and hosts[0][0], "port": hosts and hosts[0][1], "user": user, "database": parts["path"][1:]}
    return Dsn(
        scheme=parts["scheme"].lower(),
        user=_decode(user, "user") or None,
        password=Secret(_decode(password, "password")) if colon else None,
        hosts=hosts,
        database=_decode(parts["path"].removeprefix("/"), "database") or None,
        query=MappingProxyType(_query(query)),
        fields=frozenset(name for name, value in given.items() if value),
    )


def split_hosts(text: str, *, source: str) -> tuple[tuple[str | None, str | None], ...]:
    """Split ``host:port,host:port`` into pairs; ``source`` names the DSN or the environment variable in errors."""
    return tuple(_host(host, source) for host in text.split(",")) if text else ()


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
        if name in query:
            raise ConfigurationError(f"dsn: {name!r} is in the query twice; remove one")
        query[name] = value
    return query
