"""The signed text of Aurora DSQL is byte for byte what botocore's client makes."""

from collections.abc import Callable
from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import botocore.auth
import botocore.session
import pytest
from botocore.auth import SigV4QueryAuth
from hypothesis import given
from hypothesis import strategies as st

from aws_iam_async import Credentials
from aws_iam_async.credentials.source import DEFAULT_CHAIN
from aws_iam_async.tokens import sigv4
from aws_iam_async.tokens.token import TokenKey, kind_for
from tests.tokens.test_presigned_text import keys, moments

KEYS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
NOW = 1_800_000_000
# Every region that botocore 1.43 knows, and what its partition's endpoints of DSQL end with.
SUFFIXES = {
    "aws": "on.aws",
    "aws-cn": "on.amazonwebservices.com.cn",
    "aws-us-gov": "on.aws",
    "aws-iso": "on.aws.ic.gov",
    "aws-iso-b": "on.aws.scloud",
    "aws-iso-e": "on.cloud-aws.adc-e.uk",
    "aws-iso-f": "on.aws.hci.ic.gov",
    "aws-eusc": "on.amazonwebservices.eu",
}
Presign = Callable[[str, str, str, Credentials, int], str]


def ours(host: str, user: str, region: str, credentials: Credentials, issued: int) -> str:
    key = TokenKey(host, 5432, user, region, DEFAULT_CHAIN, kind=kind_for(host))
    return sigv4.presign(key, credentials, issued)


@pytest.fixture(scope="module")
def theirs() -> Presign:
    """Return botocore's two methods as one function, with the clock stopped."""
    session = botocore.session.Session({"profile": (None, None, None, None)})
    session.set_credentials("unused", "unused")
    client = session.create_client("dsql", region_name="us-east-1")
    shared = session.get_credentials()
    assert shared is not None

    def presign(host: str, user: str, region: str, credentials: Credentials, issued: int) -> str:
        shared.access_key, shared.secret_key = str(credentials.access_key), str(credentials.secret_key)
        shared.token = None if credentials.session_token is None else str(credentials.session_token)
        action = "db_connect_admin" if user == "admin" else "db_connect"
        moment = datetime.fromtimestamp(issued, UTC)
        with (
            patch("botocore.auth.get_current_datetime", return_value=moment),
            # With awscrt installed, that signs, and writes the parameters in another order.
            patch.dict(botocore.auth.AUTH_TYPE_MAPS, {"v4-query": SigV4QueryAuth}),
        ):
            return str(getattr(client, f"generate_{action}_auth_token")(host, region))

    return presign


def regions_of_botocore() -> list[tuple[str, str]]:
    loader = botocore.session.Session().get_component("data_loader")
    partitions = {part["partition"]: part["regions"] for part in loader.load_data("endpoints")["partitions"]}
    return [(region, SUFFIXES[name]) for name, regions in partitions.items() for region in regions]


@pytest.mark.parametrize("user", ["admin", "app"])
@pytest.mark.parametrize("label", ["dsql", "dsql-fnh4"])
def test_every_region_of_botocore(theirs: Presign, label: str, user: str) -> None:
    regions = regions_of_botocore()
    assert len(regions) >= 45
    for region, suffix in regions:
        target = (f"foo0bar1baz2quux3quuux4abc.{label}.{region}.{suffix}", user, region, KEYS, NOW)
        assert ours(*target) == theirs(*target)


@given(
    user=st.sampled_from(["admin", "app", "Admin", "ärger", "a b"]),
    region=st.from_regex(r"[a-z]{2}(-[a-z]{3,9}){1,2}-[0-9]{1,2}", fullmatch=True),
    cluster=st.from_regex(r"[a-z0-9]{26}", fullmatch=True),
    access_key=keys,
    secret_key=keys,
    session_token=st.none() | keys,
    issued=moments,
)
def test_any_credentials_and_moment(
    theirs: Presign,
    user: str,
    region: str,
    cluster: str,
    access_key: str,
    secret_key: str,
    session_token: str | None,
    issued: int,
) -> None:
    credentials = Credentials(access_key, secret_key, session_token)
    target = (f"{cluster}.dsql.{region}.on.aws", user, region, credentials, issued)
    assert ours(*target) == theirs(*target)


@pytest.mark.parametrize(
    ("user", "action"), [("admin", "DbConnectAdmin"), ("app", "DbConnect"), ("ADMIN", "DbConnect")]
)
def test_what_a_token_contains(user: str, action: str) -> None:
    host = "foo0bar1baz2quux3quuux4abc.dsql.us-east-1.on.aws"
    url = urlsplit(f"//{ours(host.upper(), user, 'us-east-1', KEYS, NOW)}")
    query = parse_qs(url.query)
    assert url.netloc == host  # no port
    assert query["Action"] == [action]
    assert "DBUser" not in query
    assert query["X-Amz-Expires"] == ["900"]
    assert query["X-Amz-Credential"] == [f"{KEYS.access_key}/20270115/us-east-1/dsql/aws4_request"]
