"""About 100,000 hosts, DSNs, options and packets: each is read, or refused by an error of the package's tree."""

import datetime as dt
import string
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aws_iam_async import AwsIamError, ConfigurationError
from aws_iam_async.endpoints import Endpoint, is_ip, normalise, parse, parse_port, region_of_pattern
from aws_iam_async.plugins.iam import login_for
from aws_iam_async.testing import Account, mysql_packets, postgres_messages
from aws_iam_async.testing.streams import MalformedMessageError
from aws_iam_async.testing.verification import Endpoint as SignedEndpoint
from aws_iam_async.testing.verification import verify
from tests.options.reader import DRIVERS, OPTION_NAMES, Options

pytestmark = pytest.mark.long

PASSWORD = "hunter2hunter2"
ENDPOINT = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"


def cases(count: int) -> settings:
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=count, deadline=None, database=None, derandomize=True, suppress_health_check=quiet)


ODD = ["", ".", "..", "%25", "%eth0", "ß", "\u212a", "\ud800", "。", "\u200b"]
WORDS = ["rds", "global", "cluster-", "proxy-", "endpoint", "us-east-1", "cn-north-1", "amazonaws", "com", "cn", "auto"]
ADDRESSES = ["127.0.0.1", "::1", "fe80::1%eth0", "[::1]", "[fe80::1%25eth0]", "0x7f.1", "1.2.3", "/tmp", "@abstract"]
piece = st.sampled_from([*ODD, *WORDS, *ADDRESSES, ENDPOINT, "5432", "65536", *string.printable])
pieces = st.lists(piece, max_size=7).map("".join)
dotted = st.lists(piece, min_size=1, max_size=7).map(".".join)
host = st.one_of(pieces, dotted, st.text(max_size=12))


@cases(1_500)
@given(st.lists(host, min_size=8, max_size=8))
def test_hosts(texts: list[str]) -> None:
    for text in texts:
        check_host(text)


def test_hosts_that_resemble_endpoints() -> None:
    """All 30,240 of them: these are worth more than luck, and cost less."""
    identifiers = [f"{kind}c9akciq32" for kind in ("", "cluster-", "cluster-ro-", "proxy-", "global-", "x-")]
    for labels in product(
        ["shop", "SHOP-1", "-shop", "", "endpoint", "a" * 64],
        ["", "endpoint"],
        identifiers,
        ["us-east-1", "us-gov-west-1", "global", "us-east", "us-east-1a", "rds", "mars-1"],
        ["rds", "rds-fips", "us-east-1", "rdss", ""],
        ["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "amazonaws.com.evil.example"],
        ["", "com", None],
    ):
        text = ".".join(label for label in labels if label)
        check_host(f"{text}." if labels[-1] is None else text)


def test_hosts_that_resemble_endpoints_of_dsql() -> None:
    for labels in product(
        ["foo0bar1", "FOO-1", "-foo", "", "a" * 64],
        ["dsql", "dsql-fnh4", "DSQLx", "xdsql", "dsq", "dsql" * 16, ""],
        ["us-east-1", "us-gov-west-1", "global", "us-east", "us-east-1a", "vpce"],
        ["on", "api", "xon", ""],
        ["aws", "amazonwebservices.com.cn", "aws.ic.gov", "cloud-aws.adc-e.uk", "amazonaws.com", "aws.evil.example"],
        ["", None],
    ):
        text = ".".join(label for label in labels if label)
        check_host(text if labels[-1] is None else f"{text}.")


def check_host(text: str) -> None:
    endpoint = parse(text)
    assert endpoint == parse_by_labels(text)
    for reads in (normalise, region_of_pattern, parse_port):
        with suppress(ConfigurationError):
            found = reads(text)
            assert reads is not normalise or normalise(found) == found
    is_ip(text)


KINDS = ["cluster-custom", "cluster-ro", "cluster", "proxy", "shardgrp", "global"]
SUFFIXES = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "csp.hci.ic.gov",
    "cloud.adc-e.uk",
]
DSQL_SUFFIXES = ["on.aws", "on.amazonwebservices.com.cn", "on.amazonwebservices.eu", "on.aws.ic.gov", "on.aws.scloud"]
DSQL_SUFFIXES += ["on.aws.hci.ic.gov", "on.cloud-aws.adc-e.uk"]


def parse_by_labels(text: str) -> Endpoint | None:
    """The rules of the host names, written another way: label by label, from the right."""
    if not text.isascii() or len(text) > 254:
        return None
    host = text.lower().removesuffix(".")
    if (dsql := parse_dsql_by_labels(host)) is not None:
        return dsql
    for suffix in SUFFIXES:
        if not host.endswith(f".{suffix}"):
            continue
        *names, one, other = ["", *host.removesuffix(f".{suffix}").split(".")]
        region = other if one in {"rds", "rds-fips"} else one if other in {"rds", "rds-fips"} else ""
        if not (is_region(region) or (region == "global" and region == one)) or len(names) not in {3, 4}:
            continue
        _, name, *between, last = names
        kind = next((kind for kind in KINDS if last.startswith(f"{kind}-")), "instance")
        identifier = last.removeprefix(f"{kind}-")
        if between and (between != ["endpoint"] or kind != "proxy"):
            continue
        if not identifier.isalnum() or len(identifier) > 48 or (kind == "global") != (region == "global"):
            continue
        if not is_label(name):
            continue
        kind = "proxy-endpoint" if between else kind
        return Endpoint(host, kind, None if region == "global" else region)
    return None


def parse_dsql_by_labels(host: str) -> Endpoint | None:
    name, label, region, suffix = (*host.split(".", 3), "", "", "")[:4]
    known = is_label(name) and is_label(label) and is_region(region) and suffix in DSQL_SUFFIXES
    return Endpoint(host, "cluster", region, "dsql") if known and label.startswith("dsql") else None


def is_label(text: str) -> bool:
    return text.strip("-").replace("-", "").isalnum() and not text.startswith("-") and len(text) <= 63


def is_region(text: str) -> bool:
    first, *middle, last = text.split("-") if text.count("-") > 1 else ("", "")
    return (
        first.isalpha()
        and 2 <= len(first) <= 8
        and 1 <= len(middle) <= 4
        and all(part.isalpha() and len(part) <= 16 for part in middle)
        and last.isdecimal()
        and len(last) <= 3
    )


query_name = st.sampled_from(
    [
        "sslmode",
        "ssl",
        "iam_host",
        "iam_region",
        "iamHost",
        "host",
        "port",
        "user",
        "db",
        "password",
        "timeout",
        "x",
        "",
    ]
)
query = st.lists(st.tuples(query_name, piece), max_size=3).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
scheme = st.sampled_from(["postgresql", "mysql", "postgres", "mysql+aiomysql", "http", ""])


def ask(dsn: str | None, scheme: str, **keywords: Any) -> None:
    """Read as a manager does, and then as the plugin does."""
    try:
        request = Options(scheme).read(dsn, keywords).request
        tls = request.tls.secured("db.example")
        signed = login_for(request).key
    except AwsIamError as error:
        refusal = str(error)
    else:
        refusal = ""
        assert tls.required
        assert tls.context is not None or tls.mode in {"require", "verify-ca", "verify-full"}
        assert signed.host == normalise(signed.host)
        assert 1 <= signed.port <= 65535
        assert signed.region
        assert PASSWORD not in repr(request)
    assert PASSWORD not in refusal


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE"):
        monkeypatch.delenv(name, raising=False)


def two(part: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(part, min_size=2, max_size=2)


@cases(650)
@given(st.tuples(two(scheme), two(pieces), two(st.lists(pieces, max_size=3).map(",".join)), two(piece), two(query)))
def test_dsns(parts: tuple[list[str], ...]) -> None:
    # Drawing is what takes the time: so few parts, in all their combinations.
    for kind, user, hosts, path, options in product(*parts):
        driver = "mysql" if kind.startswith("mysql") else "postgresql"
        ask(f"{kind}://{user}:{PASSWORD}@{hosts}/{path}?{options}", driver)


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), pieces, st.binary(max_size=3), st.just(ENDPOINT)
)
names = sorted(OPTION_NAMES | {"host", "port", "user", "database", "ssl", "sslmode", "sslrootcert", "unix_socket"})


some = st.lists(st.tuples(st.sampled_from(names), anything), max_size=2)


@cases(2_300)
@given(st.lists(some, min_size=3, max_size=3), st.sampled_from(sorted(DRIVERS)))
def test_options(several: list[list[tuple[str, Any]]], driver: str) -> None:
    for one, other in product(several, repeat=2):
        given = {"host": ENDPOINT, "user": "app", "password": PASSWORD, **dict(one), **dict(other)}
        ask(None, driver, **given)


@cases(6_000)
@given(st.binary(max_size=80), st.integers(0, 60))
def test_packets(noise: bytes, keep: int) -> None:
    startup = b"\0\0\0\x30\0\3\0\0user\0app\0database\0shop\0\0"
    response = bytes.fromhex("ffffffff000000012d") + bytes(23) + b"app\0\x04abcdshop\0mysql_native_password\0"
    for packet in (noise, startup[:keep] + noise, response[:keep] + noise):
        for reads in (mysql_packets.read_greeting, mysql_packets.read_response, mysql_packets.read_auth_switch):
            with suppress(MalformedMessageError):
                reads(packet)
        if len(packet) >= postgres_messages.HEADER.size:
            with suppress(MalformedMessageError):
                postgres_messages.read_startup(packet)


ACCOUNT = Account()
NOW = dt.datetime.now(dt.UTC)


parameters = st.lists(
    st.tuples(st.sampled_from(["Action", "DBUser", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Credential", "X"]), piece),
    max_size=5,
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))


@cases(1_150)
@given(st.lists(parameters, min_size=3, max_size=3))
def test_tokens(several: list[str]) -> None:
    endpoint = SignedEndpoint(ENDPOINT, 5432, "us-east-1")
    for one, other in product(several, repeat=2):
        token = f"{ENDPOINT}:5432/?{one}&{other}"
        assert verify(token, endpoint=endpoint, user="app", account=ACCOUNT, now=NOW).reason is not None
