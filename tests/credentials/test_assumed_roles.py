"""Roles assumed with the credentials of another source: at moto's STS, and at a double of our own."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from aws_iam_async import Credentials, RdsTokenProvider, Token
from aws_iam_async.credentials.source import CredentialsSource, credentials_source
from aws_iam_async.tokens.service import TokenService
from tests.credentials.aws_double import AwsDouble, serving
from tests.credentials.conftest import SECRET_KEY, SESSION_TOKEN, AwsHome, come_to_rest
from tests.tokens.keys import make_key

ROLE = "arn:aws:iam::123456789012:role/teams/app"
OTHER = "arn:aws:iam::210987654321:role/reader"
HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def sts(aws_home: AwsHome) -> Iterator[AwsDouble]:
    """STS and a container's credentials endpoint, with a long-term key in profile ``prod``."""
    with serving() as double:
        aws_home.set(AWS_ENDPOINT_URL_STS=double.url, AWS_MAX_ATTEMPTS="1")
        aws_home.config.write_text(
            "[profile prod]\nregion = eu-central-1\n"
            f"aws_access_key_id = AKIAPROD\naws_secret_access_key = {SECRET_KEY}\n"
        )
        yield double


class Client:
    """A token service with a wall clock that the test sets."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.service = TokenService(clock=lambda: time.time() + self.ahead, random=lambda: 0.0)

    async def token(self, source: CredentialsSource, user: str = "app") -> Token:
        token, _ = await self.service.get(make_key(user, signer=source))
        return token


async def base() -> Credentials:
    return Credentials("AKIABASE", SECRET_KEY)


async def test_at_motos_sts(aws_home: AwsHome, moto_url: str, no_secret_in: Callable[..., None]) -> None:
    aws_home.set(AWS_ENDPOINT_URL_STS=moto_url, AWS_ACCESS_KEY_ID="AKIABASE", AWS_SECRET_ACCESS_KEY=SECRET_KEY)
    source = credentials_source(role_arn=ROLE, external_id="shop:12/x", role_session_name="job@shop")
    snapshot = await TokenService().credentials(source)
    assert snapshot.method == "assume-role"
    assert snapshot.credentials.access_key.startswith("ASIA")
    assert snapshot.credentials.session_token
    assert snapshot.credentials.expires_at is not None
    assert 3000 < (snapshot.credentials.expires_at - datetime.now(UTC)).total_seconds() < 4000
    no_secret_in(repr(source), repr(snapshot))


async def test_what_sts_is_asked(sts: AwsDouble) -> None:
    await TokenService().credentials(
        credentials_source("prod", None, ROLE, external_id="shop:12", role_session_name="job")
    )
    await TokenService().credentials(credentials_source("prod", role_arn=ROLE))
    common = {"Action": "AssumeRole", "Version": "2011-06-15", "key": "AKIAPROD", "region": "eu-central-1"}
    assert sts.assumed == [
        common | {"RoleArn": ROLE, "ExternalId": "shop:12", "RoleSessionName": "job"},
        common | {"RoleArn": ROLE, "RoleSessionName": "aws_iam_async"},
    ]


@pytest.mark.parametrize(
    ("arn", "environ", "region"),
    [
        (ROLE, {}, "us-east-1"),
        (ROLE.replace("aws:", "aws-cn:"), {}, "cn-north-1"),
        (ROLE.replace("aws:", "aws-us-gov:"), {}, "us-gov-west-1"),
        (ROLE.replace("aws:", "aws-eusc:"), {}, "eusc-de-east-1"),
        (ROLE, {"AWS_REGION": "ap-south-1"}, "ap-south-1"),
        (ROLE, {"AWS_REGION": "ap-south-1", "AWS_DEFAULT_REGION": "sa-east-1"}, "sa-east-1"),
    ],
)
async def test_the_region_of_sts(
    aws_home: AwsHome, sts: AwsDouble, arn: str, environ: dict[str, str], region: str
) -> None:
    aws_home.set(**environ)
    await TokenService().credentials(credentials_source(credentials=base, role_arn=arn))
    assert [asked["region"] for asked in sts.assumed] == [region]


@pytest.mark.parametrize("options", [{"profile": "prod"}, {"credentials": base}, {}])
async def test_any_source_is_a_base(aws_home: AwsHome, sts: AwsDouble, options: dict[str, Any]) -> None:
    aws_home.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{sts.url}/creds")
    token = await Client().token(credentials_source(**options, role_arn=ROLE))
    assert token.access_key_id == "ASIADOUBLE1"
    assert SESSION_TOKEN in token.value
    keys = {"profile": "AKIAPROD", "credentials": "AKIABASE"}
    assert [asked["key"] for asked in sts.assumed] == [keys.get(next(iter(options), ""), "ASIADOUBLE1")]


async def test_a_thousand_callers_ask_once(aws_home: AwsHome, sts: AwsDouble) -> None:
    aws_home.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{sts.url}/creds")
    client, source = Client(), credentials_source(role_arn=ROLE)
    tokens = await asyncio.gather(*(client.token(source, f"user{number % 7}") for number in range(1000)))
    assert {token.access_key_id for token in tokens} == {"ASIADOUBLE1"}
    assert len(set(map(id, tokens))) == 7
    assert sts.requests == ["GET /creds", "POST /"]
    assert client.service.statistics().credentials_loads == 2


async def test_several_roles_share_the_reads_of_their_base_and_nothing_else(aws_home: AwsHome, sts: AwsDouble) -> None:
    aws_home.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{sts.url}/creds")
    client = Client()
    options = [
        {"role_arn": ROLE},
        {"role_arn": OTHER},
        {"role_arn": ROLE, "external_id": "one"},
        {"role_arn": ROLE, "external_id": "two"},
        {"role_arn": ROLE, "role_session_name": "job"},
        {},
    ]
    tokens = await asyncio.gather(*(client.token(credentials_source(**one)) for one in options))
    assert len(set(map(id, tokens))) == len(tokens)
    assert sorted(sts.requests) == ["GET /creds"] + ["POST /"] * 5
    again = await asyncio.gather(*(client.token(credentials_source(**one)) for one in options))
    assert again == tokens


async def test_renewed_ahead_of_its_expiry_without_a_wait(sts: AwsDouble) -> None:
    client, source = Client(), credentials_source(credentials=base, role_arn=ROLE)
    await client.token(source)
    sts.serial, sts.expires = 2, sts.expires + HOUR
    client.ahead = 3000
    assert (await client.token(source)).access_key_id == "ASIADOUBLE1"
    await come_to_rest()
    assert (await client.token(source, "other")).access_key_id == "ASIADOUBLE2"
    assert client.service.statistics().waits == 1


async def test_waited_for_once_it_has_expired(sts: AwsDouble) -> None:
    client, source = Client(), credentials_source(credentials=base, role_arn=ROLE)
    await client.token(source)
    sts.serial, sts.expires = 2, sts.expires + 2 * HOUR
    client.ahead = 3601
    assert (await client.token(source)).access_key_id == "ASIADOUBLE2"


async def test_used_until_it_expires_while_sts_is_down(sts: AwsDouble) -> None:
    client, source = Client(), credentials_source(credentials=base, role_arn=ROLE)
    await client.token(source)
    sts.mode = "down"
    for client.ahead in (3000, 3580):
        assert (await client.token(source, f"user{client.ahead}")).access_key_id == "ASIADOUBLE1"
        await come_to_rest()
    assert len(sts.assumed) == 3


async def test_a_rejected_login_assumes_the_role_again_and_leaves_its_base(aws_home: AwsHome, sts: AwsDouble) -> None:
    aws_home.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{sts.url}/creds")
    client, source = Client(), credentials_source(role_arn=ROLE)
    old = await client.token(source)
    sts.serial = 2
    client.service.reject(make_key(signer=source), old)
    assert (await client.token(source)).access_key_id == "ASIADOUBLE2"
    assert sts.requests == ["GET /creds", "POST /", "POST /"]
    assert [asked["key"] for asked in sts.assumed] == ["ASIADOUBLE1", "ASIADOUBLE1"]


async def until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_callers_who_leave_change_nothing_for_the_others(sts: AwsDouble) -> None:
    client, source = Client(), credentials_source(credentials=base, role_arn=ROLE)
    sts.open.clear()
    waiters = [asyncio.create_task(client.token(source, f"user{number}")) for number in range(20)]
    await until(lambda: sts.assumed)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await client.token(source)
    for waiter in waiters[:10]:
        waiter.cancel()
    await asyncio.sleep(0.05)
    assert not any(waiter.done() for waiter in waiters[10:])
    sts.open.set()
    tokens = await asyncio.gather(*waiters[10:])
    assert {token.access_key_id for token in tokens} == {"ASIADOUBLE1"}
    assert len(sts.assumed) == 1


async def test_after_all_have_left_the_next_one_gets_what_sts_answered(sts: AwsDouble) -> None:
    client, source = Client(), credentials_source(credentials=base, role_arn=ROLE)
    sts.open.clear()
    waiters = [asyncio.create_task(client.token(source)) for _ in range(3)]
    await until(lambda: sts.assumed)
    for waiter in waiters:
        waiter.cancel()
    assert [type(error) for error in await asyncio.gather(*waiters, return_exceptions=True)] == (
        [asyncio.CancelledError] * 3
    )
    sts.open.set()
    assert (await client.token(source)).access_key_id == "ASIADOUBLE1"
    assert len(sts.assumed) == 1


def test_every_loop_has_its_own(sts: AwsDouble) -> None:
    client, source = Client(), credentials_source(credentials=base, role_arn=ROLE)
    found: list[str] = []

    async def ask() -> None:
        tokens = await asyncio.gather(*(client.token(source) for _ in range(5)))
        found.extend(token.access_key_id for token in tokens)

    threads = [threading.Thread(target=lambda: asyncio.run(ask())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    asyncio.run(ask())
    assert found == ["ASIADOUBLE1"] * 15
    assert len(sts.assumed) == 3


async def test_kept_fresh_by_timer(sts: AwsDouble) -> None:
    client = Client()
    client.service = TokenService(refresh="background", clock=lambda: time.time() + client.ahead, random=lambda: 0.0)
    source = credentials_source(credentials=base, role_arn=ROLE)
    sts.expires = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    await client.token(source)
    sts.serial, sts.expires = 2, sts.expires + HOUR
    await until(lambda: len(sts.assumed) == 2)
    await client.service.aclose()


async def test_a_provider_takes_the_options(sts: AwsDouble, no_secret_in: Callable[..., None]) -> None:
    provider = RdsTokenProvider(profile="prod", role_arn=ROLE, external_id="shop:12", role_session_name="job")
    token = await provider.get_token(host=HOST, port=5432, user="app")
    assert token.access_key_id == "ASIADOUBLE1"
    assert (sts.assumed[0]["ExternalId"], sts.assumed[0]["RoleSessionName"]) == ("shop:12", "job")
    no_secret_in(repr(provider), repr(token))
