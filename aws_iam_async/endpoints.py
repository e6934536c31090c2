"""Host names, ports, regions, users and databases: parsing and validation. Pure.

There is no list of regions: regions are recognised by the shape of their codes. The partitions' DNS suffixes are
listed, because only the suffix distinguishes an endpoint from a name that looks like one.

Messages never repeat a whole host or port that was refused: it may be a misplaced DSN with a password.
"""

import functools
import re
import socket
from typing import NamedTuple

from aws_iam_async.errors import ConfigurationError, RegionError

_REGION = r"[a-z]{2,8}(?:-[a-z]{1,16}){1,4}-[0-9]{1,3}"

# `<region>.rds.<suffix>` is the common order; China, GovCloud and the isolated partitions also have the other one.
_RDS_ENDPOINT = rf"""
    (?P<name>[a-z0-9][a-z0-9-]{{0,62}}) \.
    (?P<endpoint>endpoint\.(?=proxy-))?
    (?P<prefix>cluster-custom-|cluster-ro-|cluster-|proxy-|shardgrp-|global-)? [a-z0-9]{{1,48}} \.
    (?: (?P<region>{_REGION}|global) \. rds(?:-fips)? | rds(?:-fips)? \. (?P<region_last>{_REGION}) ) \.
    (?:amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu
        |c2s\.ic\.gov|sc2s\.sgov\.gov|csp\.hci\.ic\.gov|cloud\.adc-e\.uk)
    """
# The label has a suffix in the private names of PrivateLink. After the region come the DNS suffixes that botocore 1.43
# knows for dual-stack names in each partition, with "on" in place of "api".
_DSQL_ENDPOINT = rf"""
    [a-z0-9][a-z0-9-]{{0,62}} \. dsql[a-z0-9-]{{0,59}} \. (?P<region>{_REGION}) \. on \.
    (?:aws|amazonwebservices\.com\.cn|amazonwebservices\.eu
        |aws\.ic\.gov|aws\.scloud|aws\.hci\.ic\.gov|cloud-aws\.adc-e\.uk)
    """
# Other databases of AWS, by the start of a label in their hosts' names: "redshift-serverless", "docdb-elastic".
_OTHER_SERVICE = r"""
    .+ \. (?P<label>cache|docdb|memorydb|neptune|redshift) [a-z-]* \. (?:.+\.)?
    (?:amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|on\.aws|api\.aws) \.?
    """
_OTHER_NAMES = {"cache": "ElastiCache", "docdb": "DocumentDB", "memorydb": "MemoryDB"}

# RFC 1035, section 2.3.4: the longest name in text form, and the longest label.
_LONGEST_NAME = 253
_LONGEST_LABEL = 63
# The underscore is no host name character, but resolvers accept it and container networks use it.
_NOT_IN_A_HOST = r"[^A-Za-z0-9._-]"
_NOT_IN_A_TEXT = r"[\0\ud800-\udfff]"  # a surrogate has no UTF-8 form
_ZONE = r"[A-Za-z0-9._~-]{1,64}"

_HIGHEST_PORT = 65535


# By the start of a region's code; the others are in "aws".
_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}


class Endpoint(NamedTuple):
    host: str  # lower-case, without a trailing dot
    # "instance", "cluster", "cluster-ro", "cluster-custom", "proxy", "proxy-endpoint", "shardgrp" or "global"
    kind: str
    region: str | None  # None for a global database
    service: str = "rds-db"  # decides on the kind of token: tokens.token.TOKEN_KINDS


@functools.lru_cache(maxsize=1024)
def parse(host: str) -> Endpoint | None:
    """Parse a host name; ``None`` if it is not the name of an endpoint of RDS or Aurora DSQL."""
    if not host.isascii() or len(host) > _LONGEST_NAME + 1:
        return None
    host = host.lower().removesuffix(".")
    if dsql := re.fullmatch(_DSQL_ENDPOINT, host, re.VERBOSE):
        return Endpoint(host, "cluster", dsql["region"], service="dsql")
    match = re.fullmatch(_RDS_ENDPOINT, host, re.VERBOSE)
    if match is None:
        return None
    kind = (match["prefix"] or "instance").removesuffix("-")
    region = match["region"] or match["region_last"]
    if (region == "global") is not (kind == "global"):
        return None
    return Endpoint(
        host=host,
        kind="proxy-endpoint" if match["endpoint"] else kind,
        region=None if region == "global" else region,
    )


def privatelink_cluster(host: str) -> str | None:
    """Return the form of a cluster's endpoint behind a PrivateLink endpoint of Aurora DSQL, which names no cluster."""
    match = re.fullmatch(rf".+\.(dsql[a-z0-9-]*\.{_REGION})\.vpce\.amazonaws\.com", host)
    return match and f"CLUSTER.{match[1]}.on.aws"


def other_service(host: str) -> str | None:
    """Return the name of the AWS service if this is a host of a database other than RDS, Aurora and Aurora DSQL."""
    match = None if parse(host) else re.fullmatch(_OTHER_SERVICE, host, re.VERBOSE | re.IGNORECASE)
    return match and _OTHER_NAMES.get(match["label"].lower(), match["label"].title())


def normalise(host: object, option: str = "host") -> str:
    """Return the one form in which a host is dialled, signed and verified.

    Names become lower-case ASCII (IDNA) without a trailing dot, IP addresses their shortest form (IPv6 without
    brackets, with or without a zone). Anything else is refused with a message about ``option``, and so are the hosts of
    other AWS databases.
    """
    name = normalise_any(host, option)
    if service := other_service(name):
        remedy = "pass the endpoint of an RDS, Aurora or Aurora DSQL database, or plugins='' to log in with a password"
        raise ConfigurationError(f"{option} is a host of {service}, which accepts no token of RDS; {remedy}")
    return name


def normalise_any(host: object, option: str = "host") -> str:
    """Return the one form of a host, like :func:`normalise`, whatever accepts connections there."""
    if not isinstance(host, str):
        raise ConfigurationError(f"{option} must be a host name or an IP address, not {type(host).__name__}")
    host = str.__str__(host)  # str() of a member of a `class Host(str, Enum)` is the member's name
    if (address := _shortest_ip(host)) is not None:
        return address
    try:
        name = (host if host.isascii() else host.encode("idna").decode("ascii")).lower().removesuffix(".")
    except UnicodeError:
        # The codec's error contains the whole input; see the module's docstring.
        raise ConfigurationError(f"{option} is not a valid internationalised host name; pass its xn-- form") from None
    if wrong := re.search(_NOT_IN_A_HOST, name):
        raise ConfigurationError(
            f"{option} contains {wrong[0]!r}, which no host name contains; pass a single host name or IP address,"
            " without URL, user, port, brackets or path of a Unix socket"
        )
    labels = name.split(".")
    if not all(labels):
        raise ConfigurationError(f"{option} is empty, or has an empty part before, between or after its dots")
    if len(name) > _LONGEST_NAME or len(max(labels, key=len)) > _LONGEST_LABEL:
        raise ConfigurationError(
            f"{option} is too long: a host name has at most {_LONGEST_NAME} characters, {_LONGEST_LABEL} between dots"
        )
    return name


def endpoint_name(host: object) -> str:
    """Return the normalised name of an endpoint, which tokens are signed for and servers are verified as."""
    name = normalise(host)
    if is_ip(name):
        raise ConfigurationError(f"host {name!r} is an IP address: pass the endpoint's name")
    return name


def is_ip(host: str) -> bool:
    """Whether this is an IPv4 or IPv6 address; an IPv6 address may have a zone (``fe80::1%eth0``) but no brackets."""
    return _shortest_ip(host) is not None


def _shortest_ip(host: str) -> str | None:
    address, percent, zone = host.partition("%")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if percent and (family is socket.AF_INET or not re.fullmatch(_ZONE, zone)):
        return None
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, address)) + percent + zone
    except (OSError, ValueError):
        return None


def region_of_pattern(pattern: object, option: str = "cluster_instance_host_pattern") -> str | None:
    """Return the region in a pattern for the names of a cluster's instances: ``?.XYZ.us-east-2.rds.amazonaws.com``.

    Proxies and custom clusters have no instances, so their names are refused.
    """
    if not isinstance(pattern, str) or not pattern.isascii() or pattern.count("?") != 1:
        raise ConfigurationError(
            f"{option} must contain exactly one '?' in place of an instance's name, for example "
            "'?.c9akciq32.us-east-1.rds.amazonaws.com', and an internationalised name in its xn-- form"
        )
    before, _, after = pattern.partition("?")
    endpoint = parse(normalise(f"{before}x{after}", option))
    if endpoint is not None and endpoint.kind in {"proxy", "proxy-endpoint", "cluster-custom"}:
        raise ConfigurationError(
            f"{option} must be the pattern of the cluster's instances, not of a {endpoint.kind}. "
            "Remove the part before the cluster's identifier, as in '?.c9akciq32.us-east-1.rds.amazonaws.com'"
        )
    return endpoint.region if endpoint else None


def normalise_region(region: object, option: str = "iam_region") -> str:
    code = region.lower() if isinstance(region, str) and region.isascii() else ""
    if re.fullmatch(_REGION, code):
        return code
    if re.fullmatch(_REGION + "[a-z]", code):
        raise RegionError(f"{option}={code!r} is an availability zone; its region is {code[:-1]!r}")
    raise RegionError(f"{option} must be a region code such as 'us-east-1'")


def signing_region(given: object, host: str, *, pattern: object = None, option: str = "iam_region") -> str:
    """Return the region to sign for: the given one, else that of the host, else that of the pattern.

    The environment's default region is never used: the server rejects a token for another region without a reason.
    """
    region_in_pattern = None if pattern is None else region_of_pattern(pattern)
    if given is not None:
        return normalise_region(given, option)
    endpoint = parse(host)
    if region := (endpoint and endpoint.region) or region_in_pattern:
        return region
    raise RegionError(
        f"{host!r} does not contain a region: pass {option}=, for example {option}='us-east-1', or the endpoint's own"
        " name, such as name.xyz.us-east-1.rds.amazonaws.com"
    )


def partition(region: str) -> str:
    return next((name for start, name in _PARTITIONS.items() if region.startswith(start)), "aws")


def parse_port(port: object, option: str = "port") -> int:
    """Parse a TCP port: an integer, or decimal digits without sign or spaces."""
    number = int(port) if isinstance(port, str) and re.fullmatch("[0-9]{1,18}", port) else port
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= _HIGHEST_PORT:
        raise ConfigurationError(f"{option} must be a whole number from 1 to {_HIGHEST_PORT}")
    return int(number)


def parse_name(name: object, option: str) -> str:
    if not isinstance(name, str) or not name or re.search(_NOT_IN_A_TEXT, name):
        raise ConfigurationError(f"{option} must be a non-empty string in valid Unicode, without NUL")
    return str.__str__(name)  # as in normalise()


def check_text(text: str, option: str) -> None:
    """Refuse a string that drivers cannot send.

    psycopg 3.3 drops what follows a NUL, and ``sslmode`` with it. Errors about a surrogate quote the string.
    """
    if re.search(_NOT_IN_A_TEXT, text):
        raise ConfigurationError(f"{option} must be valid Unicode without NUL")
