"""Host names, ports and regions: what they say, and whether they are well formed.

Nothing here knows a list of regions: a region that AWS opens tomorrow has the shape of today's. The partitions' DNS
suffixes are listed, because the suffix is what tells an RDS endpoint from a name that merely looks like one.

Messages never repeat a whole host or port that was refused: it may be a misplaced DSN with a password in it.
"""

import functools
import re
from typing import Literal, NamedTuple, TypeAlias

from aws_iam_async.errors import ConfigurationError, RegionError

EndpointKind: TypeAlias = Literal[
    "instance", "cluster", "cluster-ro", "cluster-custom", "proxy", "proxy-endpoint", "shardgrp", "global"
]

# Texts: the first match compiles them, which importing this package should not cost.
_REGION = r"[a-z]{2,8}(?:-[a-z]{1,16}){1,4}-[0-9]{1,3}"
_AVAILABILITY_ZONE = _REGION + "[a-z]"

# `<region>.rds.<suffix>` is the common order; China, GovCloud and the isolated partitions also have the other one.
_ENDPOINT = rf"""
    (?P<name>[a-z0-9][a-z0-9-]{{0,62}}) \.
    (?P<endpoint>endpoint\.(?=proxy-))?
    (?P<prefix>cluster-custom-|cluster-ro-|cluster-|proxy-|shardgrp-|global-)? [a-z0-9]{{1,48}} \.
    (?: (?P<region>{_REGION}|global) \. rds(?:-fips)? | rds(?:-fips)? \. (?P<region_last>{_REGION}) ) \.
    (?P<suffix>amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu
        |c2s\.ic\.gov|sc2s\.sgov\.gov|csp\.hci\.ic\.gov|cloud\.adc-e\.uk)
    """
_KINDS: dict[str | None, EndpointKind] = {
    None: "instance",
    "cluster-": "cluster",
    "cluster-ro-": "cluster-ro",
    "cluster-custom-": "cluster-custom",
    "proxy-": "proxy",
    "shardgrp-": "shardgrp",
    "global-": "global",
}

# RFC 1035, section 2.3.4: the longest name in text form, and the longest label.
_LONGEST_NAME = 253
_LONGEST_LABEL = 63
# The underscore is no host name character, but resolvers take it and container networks use it.
_NOT_IN_A_HOST = r"[^A-Za-z0-9._-]"
_ZONE = r"[A-Za-z0-9._~-]{1,64}"

_PORT_DIGITS = r"[0-9]{1,18}"
_HIGHEST_PORT = 65535


class RdsEndpoint(NamedTuple):
    """What an RDS host name says.

    Attributes:
        host: The name, lower-case, without a trailing dot.
        kind: What the name stands for.
        region: The region in the name; ``None`` for a global database's endpoint, which has none.
        suffix: The partition's DNS suffix, such as ``amazonaws.com.cn``.
    """

    host: str
    kind: EndpointKind
    region: str | None
    suffix: str


class InstancePattern(NamedTuple):
    """A checked ``cluster_instance_host_pattern``.

    Attributes:
        pattern: The pattern, lower-case, without a trailing dot; ``?`` stands for an instance's name.
        region: The region in the pattern; ``None`` if it is not an RDS name.
    """

    pattern: str
    region: str | None


@functools.lru_cache(maxsize=1024)
def parse(host: str) -> RdsEndpoint | None:
    """Read an Amazon RDS or Aurora host name.

    Args:
        host: A host name in any case, with or without a trailing dot.

    Returns:
        What the name says, or ``None`` if it is not the name of an RDS endpoint, however much it looks like one.
    """
    if not host.isascii() or len(host) > _LONGEST_NAME + 1:
        return None
    host = host.lower().removesuffix(".")
    match = re.fullmatch(_ENDPOINT, host, re.VERBOSE)
    if match is None:
        return None
    kind = _KINDS[match["prefix"]]
    region = match["region"] or match["region_last"]
    if (region == "global") is not (kind == "global"):
        return None
    return RdsEndpoint(
        host=host,
        kind="proxy-endpoint" if match["endpoint"] else kind,
        region=None if region == "global" else region,
        suffix=match["suffix"],
    )


def normalise(host: object, option: str = "host") -> str:
    """Bring a host into the one form in which it is dialled, signed and verified.

    Names become lower-case ASCII (IDNA) without a trailing dot; IP addresses their shortest form. Unix socket paths are
    not hosts and are refused.

    Args:
        host: A host name or an IP address (IPv6 without brackets, with or without a zone).
        option: The option that held it, for the message.

    Raises:
        ConfigurationError: It is no host.
    """
    if not isinstance(host, str):
        raise ConfigurationError(f"{option} must be a host name or an IP address, not {type(host).__name__}")
    return _normalise(str.__str__(host), option)  # str() of a member of a `class Host(str, Enum)` is its name


@functools.lru_cache(maxsize=1024)
def _normalise(host: str, option: str) -> str:
    if not host:
        raise ConfigurationError(f"{option} is empty; pass the database's host name")
    if len(host) > _LONGEST_NAME + 1:
        raise ConfigurationError(f"{option} is {len(host)} characters long; a host name has at most {_LONGEST_NAME}")
    if is_ip(host):
        import ipaddress  # noqa: PLC0415 - seldom needed, and importing it costs as much as the rest of this module

        return str(ipaddress.ip_address(host))
    name = (host if host.isascii() else _to_ascii(host, option)).lower().removesuffix(".")
    if wrong := re.search(_NOT_IN_A_HOST, name):
        raise ConfigurationError(f"{option} holds {wrong[0]!r}, which no host name does; {_advice(wrong[0], option)}")
    labels = name.split(".")
    if not all(labels):
        raise ConfigurationError(f"{option} has an empty part between, before or after its dots")
    if len(name) > _LONGEST_NAME or len(max(labels, key=len)) > _LONGEST_LABEL:
        raise ConfigurationError(
            f"{option} is too long: a host name has at most {_LONGEST_NAME} characters, {_LONGEST_LABEL} between dots"
        )
    return name


def _to_ascii(host: str, option: str) -> str:
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        # The codec's error holds the whole input, see the module's docstring.
        raise ConfigurationError(f"{option} is not a valid internationalised host name; pass its xn-- form") from None


def _advice(wrong: str, option: str) -> str:
    match wrong:
        case ":" | "[" | "]":
            port = "iam_default_port" if option == "iam_host" else "port"
            return f"pass the name alone: no https:// or ARN, the port as `{port}`, an IPv6 address without brackets"
        case "/" | "@":
            return "pass a bare host name: no URL, no user, no path of a Unix socket"
        case ",":
            return "pass a single host"
        case _:
            return "remove it"


@functools.lru_cache(maxsize=1024)
def is_ip(host: str) -> bool:
    """Whether this is an IPv4 or IPv6 address; an IPv6 address may have a zone (``fe80::1%eth0``) but no brackets."""
    if ":" not in host and not host[-1:].isdigit():
        return False
    import ipaddress  # noqa: PLC0415 - see _normalise

    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    zone = host.partition("%")[2]
    return not zone or re.fullmatch(_ZONE, zone) is not None


def parse_pattern(pattern: object, option: str = "cluster_instance_host_pattern") -> InstancePattern:
    """Check a pattern for the names of a cluster's instances, as in ``?.XYZ.us-east-2.rds.amazonaws.com``.

    Args:
        pattern: A host name, of RDS or of an own domain, with one ``?`` where an instance's name goes.
        option: The option that held it, for the message.

    Raises:
        ConfigurationError: It is no such pattern, or names a proxy or a custom cluster, which have no instances.
    """
    if not isinstance(pattern, str):
        raise ConfigurationError(f"{option} must be a host name with one '?', not {type(pattern).__name__}")
    if not pattern.isascii():
        raise ConfigurationError(f"{option} must be ASCII; pass the xn-- form of an internationalised name")
    if pattern.count("?") != 1:
        raise ConfigurationError(
            f"{option} must hold exactly one '?' where an instance's name goes, such as "
            "'?.c9akciq32.us-east-1.rds.amazonaws.com'"
        )
    before, _, after = pattern.partition("?")
    endpoint = parse(normalise(f"{before}x{after}", option))
    if endpoint is not None and endpoint.kind in {"proxy", "proxy-endpoint", "cluster-custom"}:
        raise ConfigurationError(
            f"{option} must be the pattern of the cluster's instances, not of a {endpoint.kind}: "
            "drop the part before the cluster's identifier, as in '?.c9akciq32.us-east-1.rds.amazonaws.com'"
        )
    return InstancePattern(pattern.lower().removesuffix("."), endpoint.region if endpoint else None)


def normalise_region(region: object, option: str = "iam_region") -> str:
    """Return a region's code in lower case, checked by shape only.

    Args:
        region: A code such as ``us-east-1`` or ``us-gov-west-1``.
        option: The option that held it, for the message.

    Raises:
        RegionError: It does not have the shape of a region's code.
    """
    if not isinstance(region, str):
        raise RegionError(f"{option} must be a region's code such as 'us-east-1', not {type(region).__name__}")
    code = region.lower() if region.isascii() else ""
    if re.fullmatch(_REGION, code):
        return code
    if re.fullmatch(_AVAILABILITY_ZONE, code):
        raise RegionError(f"{option}={code!r} is an availability zone; its region is {code[:-1]!r}")
    raise RegionError(f"{option} does not look like a region's code such as 'us-east-1'")


def parse_port(port: object, option: str = "port") -> int:
    """Read a TCP port.

    Args:
        port: A whole number, or one written in decimal digits, without sign or spaces.
        option: The option that held it, for the message.

    Raises:
        ConfigurationError: It is not a number from 1 to 65535.
    """
    if isinstance(port, bool) or not isinstance(port, int | str):
        raise ConfigurationError(
            f"{option} must be a whole number from 1 to {_HIGHEST_PORT}, not {type(port).__name__}"
        )
    if isinstance(port, str) and not re.fullmatch(_PORT_DIGITS, port):
        raise ConfigurationError(f"{option} must be a whole number from 1 to {_HIGHEST_PORT}, in digits only")
    number = int(port)
    if not 1 <= number <= _HIGHEST_PORT:
        raise ConfigurationError(f"{option} must be from 1 to {_HIGHEST_PORT}; the number given is not")
    return number
