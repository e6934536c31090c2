"""Which host, port, user and region a token is signed for."""

from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_iam_async import (
    AwsIamError,
    ConfigurationError,
    ConnectNext,
    ConnectRequest,
    Credentials,
    PluginManager,
    RegionError,
)
from aws_iam_async.plugins.iam import login_for

CLUSTER = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
GLOBAL = "shop.global-c9akciq32.global.rds.amazonaws.com"


def login(host: str | None = CLUSTER, port: int | None = 5432, user: str | None = "app", **options: Any) -> Any:
    return login_for(ConnectRequest(driver="asyncpg", host=host, port=port, user=user, options=options)).key


def server_name(host: str, **options: Any) -> str | None:
    return login_for(
        ConnectRequest(driver="asyncpg", host=host, port=5432, user="app", options=options)
    ).tls.server_name


def test_everything_comes_from_the_connection_by_default() -> None:
    signed = login()
    assert (signed.host, signed.port, signed.user, signed.region) == (CLUSTER, 5432, "app", "us-east-1")
    assert signed.expiration == 900
    assert server_name(CLUSTER) is None


def test_the_host_is_signed_and_verified_in_its_normal_form() -> None:
    host = CLUSTER.upper() + "."
    assert (login(host).host, server_name(host)) == (CLUSTER, CLUSTER)


@pytest.mark.parametrize("host", ["10.0.0.7", "2001:db8::1", "db.internal", "localhost"])
def test_iam_host_is_signed_and_verified_where_another_name_is_dialled(host: str) -> None:
    signed = login(host, iam_host=CLUSTER)
    assert (signed.host, server_name(host, iam_host=CLUSTER), signed.region) == (CLUSTER, CLUSTER, "us-east-1")


def test_iam_region_always_wins() -> None:
    pattern = "?.c9akciq32.eu-west-1.rds.amazonaws.com"
    assert login(iam_region="ap-south-2", cluster_instance_host_pattern=pattern).region == "ap-south-2"


def test_the_hosts_region_wins_over_the_patterns() -> None:
    assert login(cluster_instance_host_pattern="?.c9akciq32.eu-west-1.rds.amazonaws.com").region == "us-east-1"


def test_the_pattern_says_the_region_where_the_host_does_not() -> None:
    assert login(GLOBAL, cluster_instance_host_pattern="?.c9akciq32.eu-west-1.rds.amazonaws.com").region == "eu-west-1"


def test_the_environments_default_region_is_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with pytest.raises(RegionError, match="iam_region"):
        login(GLOBAL)


@pytest.mark.parametrize("port", [6000, "6000"])
def test_iam_default_port_is_signed_instead_of_the_dialled_one(port: int | str) -> None:
    assert login(iam_default_port=port).port == 6000


@pytest.mark.parametrize("expiration", [0, 1, 899.5, 900, "600"])
def test_iam_token_expiration(expiration: float | str) -> None:
    assert login(iam_token_expiration=expiration).expiration == float(expiration)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"user": None}, "user"),
        ({"user": ""}, "user"),
        ({"host": None}, "host"),
        ({"host": "/var/run/postgresql"}, "path of a Unix socket"),
        ({"host": "10.0.0.7"}, "iam_host"),
        ({"host": "db.internal"}, "iam_host"),
        ({"host": "db.internal", "iam_region": "us-east-1"}, "iam_host"),
        ({"host": f"{CLUSTER}.evil.example"}, "iam_host"),
        ({"host": "db..internal", "iam_host": CLUSTER}, "host .* has an empty part"),
        ({"host": "db.internal,db2.internal", "iam_host": CLUSTER}, "host contains ','"),
        ({"iam_host": "10.0.0.7", "iam_region": "us-east-1"}, "iam_host"),
        ({"iam_host": ""}, "iam_host"),
        ({"iam_host": 5}, "iam_host"),
        ({"iam_default_port": 0}, "iam_default_port"),
        ({"iam_default_port": 65536}, "iam_default_port"),
        ({"iam_default_port": True}, "iam_default_port"),
        ({"iam_default_port": "postgres"}, "iam_default_port"),
        ({"iam_region": ""}, "iam_region"),
        ({"iam_region": "us east 1"}, "iam_region"),
        ({"iam_region": "us-east-1a"}, "iam_region"),
        ({"iam_token_expiration": -1}, "iam_token_expiration"),
        ({"iam_token_expiration": 901}, "iam_token_expiration"),
        ({"iam_token_expiration": "soon"}, "iam_token_expiration"),
        ({"iam_token_expiration": float("nan")}, "iam_token_expiration"),
        ({"iam_token_expiration": True}, "iam_token_expiration"),
        ({"cluster_instance_host_pattern": "c9akciq32.eu-west-1.rds.amazonaws.com"}, "cluster_instance_host_pattern"),
        (
            {"cluster_instance_host_pattern": "?.proxy-c9akciq32.eu-west-1.rds.amazonaws.com"},
            "cluster_instance_host_pattern",
        ),
        (
            {"cluster_instance_host_pattern": "?.cluster-custom-c9akciq32.eu-west-1.rds.amazonaws.com"},
            "cluster_instance_host_pattern",
        ),
    ],
)
def test_what_is_wrong_is_refused_by_name(options: dict[str, Any], names: str) -> None:
    with pytest.raises(ConfigurationError, match=names):
        login(**options)


anything = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=40), st.just(CLUSTER))


@given(
    host=st.one_of(st.text(max_size=40), st.just(CLUSTER)),
    options=st.fixed_dictionaries(
        {},
        optional={
            "iam_host": anything,
            "iam_default_port": anything,
            "iam_region": anything,
            "iam_token_expiration": anything,
            "cluster_instance_host_pattern": anything,
        },
    ),
)
def test_any_options_are_a_login_or_an_error_of_ours(host: str, options: dict[str, Any]) -> None:
    try:
        signed = login(host, **options)
    except AwsIamError:
        return
    assert signed.host == signed.host.lower()
    assert 1 <= signed.port <= 65535
    assert 0 <= signed.expiration <= 900
    assert signed.region


async def test_a_token_is_for_its_request_however_that_compares() -> None:
    class ByPlace(ConnectRequest):
        def __eq__(self, other: object) -> bool:
            return isinstance(other, ByPlace) and self.host == other.host

        def __hash__(self) -> int:
            return hash(self.host)

    class LogInAs:
        def __init__(self, user: str) -> None:
            self.request = ByPlace(driver="asyncpg", host=CLUSTER, port=5432, user=user, options={"credentials": load})

        async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:  # noqa: ARG002 - the protocol
            return await call_next(self.request)

    class Seen(Exception):  # noqa: N818 - no error
        pass

    class Look:
        async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:  # noqa: ARG002 - the protocol
            raise Seen(parse_qs(str(request.password))["DBUser"][0])

    alice, bob = LogInAs("alice"), LogInAs("bob")
    assert alice.request == bob.request
    found = []
    for login_as in (alice, bob, alice):
        async with PluginManager([login_as, "iam", Look()]) as manager:
            with pytest.raises(Seen) as seen:
                await manager.connect(driver="asyncpg", host=CLUSTER, user="app")
            found.append(str(seen.value))
    assert found == ["alice", "bob", "alice"]


async def load() -> Credentials:
    return Credentials("AKIAEXAMPLE", "example")
