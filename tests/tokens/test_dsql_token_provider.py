"""``DsqlTokenProvider``: tokens of Aurora DSQL without a connection, by the protocol of all providers."""

from urllib.parse import parse_qs, urlsplit

import pytest

from aws_iam_async import (
    ConfigurationError,
    Credentials,
    DsqlTokenProvider,
    RdsTokenProvider,
    RegionError,
    Token,
    TokenProvider,
)

HOST = "foo0bar1baz2quux3quuux4abc.dsql.us-east-1.on.aws"
RDS_HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"


async def load() -> Credentials:
    return Credentials("ASIAEXAMPLE", "SECRET-KEY-MARK", "SESSION-TOKEN-MARK")


@pytest.mark.parametrize(("user", "action"), [("admin", "DbConnectAdmin"), ("app", "DbConnect")])
async def test_a_token(user: str, action: str) -> None:
    async with DsqlTokenProvider(credentials=load) as provider:
        token = await provider.get_token(host=f"{HOST.upper()}.", user=user)
    url = urlsplit(f"//{token.value}")
    query = parse_qs(url.query)
    assert url.netloc == HOST
    assert query["Action"] == [action]
    assert query["X-Amz-Credential"][0].split("/")[2:4] == [token.region, "dsql"] == ["us-east-1", "dsql"]
    assert (token.expires_at - token.issued_at).total_seconds() == 870
    assert "MARK" not in repr(token)


async def test_it_is_used_like_any_provider() -> None:
    async def token_of(provider: TokenProvider, host: str) -> Token:
        return await provider.get_token(host=host, port=5432, user="app")

    assert "%2Fdsql%2F" in (await token_of(DsqlTokenProvider(credentials=load), HOST)).value
    assert "%2Frds-db%2F" in (await token_of(RdsTokenProvider(credentials=load), RDS_HOST)).value


async def test_a_name_of_ones_own_is_signed_as_it_is() -> None:
    provider = DsqlTokenProvider(credentials=load)
    token = await provider.get_token(host="db.example.com", user="app", region="eu-west-1")
    assert token.value.startswith("db.example.com/?Action=DbConnect&")
    with pytest.raises(RegionError, match="region="):
        await provider.get_token(host="db.example.com", user="app")


async def test_an_endpoint_of_the_other_service_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"is an endpoint of Aurora DSQL.* use .*DsqlTokenProvider"):
        await RdsTokenProvider(credentials=load).get_token(host=HOST, port=5432, user="app")
    with pytest.raises(ConfigurationError, match=r"is an endpoint of RDS.* use RdsTokenProvider"):
        await DsqlTokenProvider(credentials=load).get_token(host=RDS_HOST, user="app")


async def test_the_same_host_name_has_a_token_for_each_service() -> None:
    """The kind is a part of the cache's key."""
    name = {"host": "db.example.com", "port": 5432, "user": "both", "region": "eu-west-1"}
    dsql = await DsqlTokenProvider(credentials=load).get_token(**name)  # type: ignore[arg-type]  # of the right types
    rds = await RdsTokenProvider(credentials=load).get_token(**name)  # type: ignore[arg-type]  # of the right types
    assert "%2Fdsql%2F" in dsql.value
    assert "%2Frds-db%2F" in rds.value
