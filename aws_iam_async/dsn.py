"""Take a DSN apart. Pure: no environment, no defaults, no knowledge of drivers or plugins."""

import functools
import re
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

from aws_iam_async.errors import ConfigurationError
from aws_iam_async.secret import Secret

# RFC 3986, appendix B. Newer versions of urlsplit() (CPython 3.11.2 of Debian 12, 3.14) check the whole authority as
# one address, and refuse several.
URL = r"(?P<scheme>[A-Za-z][\w+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?P<fragment>#.*)?"
# PostgreSQL's settings, which may stand here too, have dots.
OPTION_NAME = r"[A-Za-z_][\w.-]*"
HOST = r"(?:\[(?P<bracketed>[^\[\]]+)\]|(?P<plain>[^:\[\]]*))(?::(?P<port>[^:]*))?\Z"


class Dsn(NamedTuple):
    """The parts of ``scheme://user:password@host:port,host:port/database?name=value``.

    Attributes:
        scheme: In lower case.
        user: Percent-decoded, or ``None``.
        password: Percent-decoded, or ``None``.
        hosts: ``(host, port)`` pairs in their order, percent-decoded; an empty part is ``None``.
        database: Percent-decoded, or ``None``.
        query: The query's names and values, percent-decoded.
    """

    scheme: str
    user: str | None
    password: Secret | None
    hosts: tuple[tuple[str | None, str | None], ...]
    database: str | None
    query: Mapping[str, str]


# A DSN is a constant of the application: read it once, however many connections are made with it.
@functools.lru_cache(maxsize=128)
def parse(dsn: str) -> Dsn:
    """Split ``dsn`` by the rules of RFC 3986, with libpq's comma-separated hosts.

    Args:
        dsn: For example ``postgresql://app@db.example/shop?iam_region=eu-west-1``.

    Returns:
        Its parts; what is absent is ``None``.

    Raises:
        ConfigurationError: It is no such text. The message never repeats the DSN, which may hold a password.
    """
    if any(character.isspace() or not character.isprintable() for character in dsn):
        raise ConfigurationError("dsn holds white space or control characters; percent-encode them")
    if "%00" in dsn:
        raise ConfigurationError("dsn holds a NUL (%00), where databases would see an end")
    parts = re.fullmatch(URL, dsn, re.ASCII)
    if parts is None:
        advice = ""
        if dsn.startswith("jdbc:"):
            advice = "drop 'jdbc:'; "
        elif dsn[:1] in {"'", '"'}:
            advice = "it is in quotes, which are no part of it; "
        raise ConfigurationError(f"dsn has no scheme; {advice}write postgresql://user@host/database or mysql://...")
    if parts["fragment"]:
        raise ConfigurationError("dsn holds a '#': percent-encode it as %23")
    query = parts["query"] or ""
    login, at, places = parts["authority"].rpartition("@")
    hosts = split_hosts(places, source="dsn")
    if not at and "@" in query and any(port and not port.isdecimal() for _, port in hosts):
        # The beginning of a password passes for a port. Later complaints would repeat pieces of its end.
        raise ConfigurationError("dsn: percent-encode '?' in the user name and the password, as %3F")
    if not at and "@" in parts["path"] and any(port and not port.isdecimal() for _, port in hosts):
        raise ConfigurationError("dsn: percent-encode '/' in the user name and the password, as %2F")
    user, colon, password = login.partition(":")
    return Dsn(
        scheme=parts["scheme"].lower(),
        user=_decode(user, "user") or None,
        password=Secret(_decode(password, "password")) if colon else None,
        hosts=hosts,
        database=_decode(parts["path"].removeprefix("/"), "database") or None,
        query=MappingProxyType(_query(query)),
    )


def split_hosts(text: str, *, source: str) -> tuple[tuple[str | None, str | None], ...]:
    """Split ``host:port,host:port`` into pairs.

    Args:
        text: The list; an empty one has no pairs.
        source: What to name in an error: ``dsn`` or an environment variable.

    Raises:
        ConfigurationError: A part is not of that form.
    """
    return tuple(_host(host, source) for host in text.split(",")) if text else ()


def _decode(text: str, part: str) -> str:
    from urllib.parse import unquote  # noqa: PLC0415 - 3 ms, for those who write DSNs

    with suppress(UnicodeDecodeError):  # which has the bytes: the password's, it may be
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
    from urllib.parse import parse_qsl  # noqa: PLC0415 - as in _decode()

    query: dict[str, str] = {}
    pairs: list[tuple[str, str]] | None = None
    with suppress(ValueError):  # as in _decode()
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict") if text else []
    if pairs is None:
        raise ConfigurationError("dsn: the query is not name=value pairs separated by '&' in UTF-8")
    for name, value in pairs:
        if not re.fullmatch(OPTION_NAME, name, re.ASCII):
            raise ConfigurationError(
                "dsn: something in the query is no option's name; percent-encode '?' and '&' elsewhere"
            )
        if name in query:
            raise ConfigurationError(f"dsn: {name!r} stands in the query twice")
        query[name] = value
    return query
