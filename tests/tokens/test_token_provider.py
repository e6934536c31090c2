"""``RdsTokenProvider``: tokens without a connection."""

import enum
import pickle
from urllib.parse import parse_qs, urlsplit

import pytest

from aws_iam_async import ConfigurationError, Credentials, DsqlTokenProvider, RdsTokenProvider, RegionError

HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"


async def load() -> Credentials:
    return Credentials("ASIAEXAMPLE", "SECRET-KEY-MARK", "SESSION-TOKEN-MARK")


async def test_a_token() -> None:
    async with RdsTokenProvider(credentials=load) as provider:
        token = await provider.get_token(host=HOST, port=5432, user="app")
    url = urlsplit(f"//{token.value}")
    query = parse_qs(url.query)
    assert (url.hostname, url.port) == (HOST, 5432)
    assert query["DBUser"] == ["app"]
    assert query["X-Amz-Credential"][0].split("/")[2] == token.region == "us-east-1"
    assert token.access_key_id == "ASIAEXAMPLE"
    assert token.issued_at < token.refresh_at < token.expires_at
    assert (token.expires_at - token.issued_at).total_seconds() == 870


class User(str, enum.Enum):  # noqa: UP042 - a StrEnum is its text in every way
    APP = "named by enum"


async def test_a_member_of_an_enum_is_its_text() -> None:
    provider = RdsTokenProvider(credentials=load)
    token = await provider.get_token(host=HOST, port=5432, user=User.APP)
    assert "DBUser=named%20by%20enum&" in token.value
    assert await provider.get_token(host=HOST, port=5432, user="named by enum") is token


@pytest.mark.parametrize("provider", [RdsTokenProvider, DsqlTokenProvider])
def test_a_misspelled_argument_is_one_of_the_class_that_was_called(provider: type) -> None:
    with pytest.raises(TypeError, match=rf"^{provider.__name__}\.__init__\(\) got an unexpected .* 'rolearn'"):
        provider(rolearn="arn:aws:iam::123456789012:role/app")


async def test_providers_share_the_cache() -> None:
    token = await RdsTokenProvider(credentials=load).get_token(host=HOST, port=5432, user="shared")
    again = await RdsTokenProvider(credentials=load).get_token(host=HOST.upper() + ".", port=5432, user="shared")
    assert again is token


async def test_a_shorter_life_and_none() -> None:
    short = await RdsTokenProvider(credentials=load, expiration=60).get_token(host=HOST, port=5432, user="app")
    assert (short.expires_at - short.issued_at).total_seconds() == 60
    uncached = RdsTokenProvider(credentials=load, expiration=0)
    first = await uncached.get_token(host=HOST, port=5432, user="app")
    assert await uncached.get_token(host=HOST, port=5432, user="app") is not first


async def test_the_region_given_wins() -> None:
    provider = RdsTokenProvider(credentials=load)
    token = await provider.get_token(host=HOST, port=5432, user="app", region="eu-west-1")
    assert token.region == "eu-west-1"
    assert "%2Feu-west-1%2Frds-db%2F" in token.value


async def test_refreshing_in_the_background_has_a_cache_of_its_own() -> None:
    async with RdsTokenProvider(credentials=load, refresh="background") as provider:
        token = await provider.get_token(host=HOST, port=5432, user="own")
        other = await RdsTokenProvider(credentials=load).get_token(host=HOST, port=5432, user="own")
        assert other is not token
        assert provider.statistics().generations == 1


async def test_nothing_secret_is_shown() -> None:
    provider = RdsTokenProvider(credentials=load)
    token = await provider.get_token(host=HOST, port=5432, user="app")
    shown = f"{token!r} {token} {token.value!r} {provider!r} {provider.statistics()!r} {[token.value]}"
    assert "ASIAEXAMPLE" in shown
    for secret in ("MARK", "X-Amz-Signature", token.value.rpartition("=")[2]):
        assert secret not in shown
    assert pickle.loads(pickle.dumps(token)).value == token.value


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"host": ""}, ConfigurationError, "host"),
        ({"host": "a b"}, ConfigurationError, "host"),
        ({"host": None}, ConfigurationError, "host"),
        ({"host": "10.0.0.7", "region": "us-east-1"}, ConfigurationError, "is an IP address"),
        ({"port": 0}, ConfigurationError, "port"),
        ({"port": "x"}, ConfigurationError, "port"),
        ({"user": ""}, ConfigurationError, "user"),
        ({"user": None}, ConfigurationError, "user"),
        ({"user": "\ud800"}, ConfigurationError, "user"),
        ({"region": "nowhere"}, RegionError, "region"),
        ({"host": "db.example.com"}, RegionError, "region="),
        ({"host": "x.rds.amazonaws.com.evil.example"}, RegionError, "region="),
    ],
)
async def test_what_cannot_be_signed(wrong: dict[str, object], error: type[Exception], message: str) -> None:
    options: dict[str, object] = {"host": HOST, "port": 5432, "user": "app", **wrong}
    with pytest.raises(error, match=message):
        await RdsTokenProvider(credentials=load).get_token(**options)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"expiration": 901}, "expiration"),
        ({"refresh": "never"}, "refresh"),
        ({"profile": ""}, "profile"),
        ({"credentials": "x"}, "credentials"),
    ],
)
def test_options_that_cannot_be_used(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        RdsTokenProvider(**wrong)  # type: ignore[arg-type]  # wrong on purpose
