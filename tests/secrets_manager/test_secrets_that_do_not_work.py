"""What a secret or its service refuses is named with the secret and the remedy, and never with its content."""

import asyncio
import re
import socket
from functools import partial
from typing import Any

import pytest
from moto.core.exceptions import JsonRESTError

from aws_iam_async import AwsIamError, ConfigurationError, CredentialsError, InsecureTransportError, PluginManager
from tests.credentials.conftest import Answer, Endpoint, told
from tests.secrets_manager.conftest import REGION, SECRET, Store

CONTENT = "hunter2-hunter2"
NAMED = rf"secret '{SECRET}' in {REGION} "
ARN = f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{SECRET}-AbCdEf"


@pytest.fixture
def place() -> dict[str, Any]:
    """A port that does not listen: nothing may be dialled."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    return {"driver": "asyncpg", "host": "127.0.0.1", "port": port, "secret_id": SECRET, "secret_region": REGION}


async def error(manager: PluginManager, store: Store, place: dict[str, Any], **options: Any) -> AwsIamError:
    with pytest.raises(AwsIamError) as info:
        await manager.connect(**{"secret_endpoint": store.url} | place | options)
    assert CONTENT not in repr(info.value) + str(info.value)
    return info.value


CONTENTS = {
    "no user": ({"password": CONTENT}, "has no property 'username'. Add it, or pass secret_username_property="),
    "no password": ({"username": CONTENT}, "has no property 'password'. Add it, or pass secret_password_property="),
    "an empty password": ({"username": CONTENT, "password": ""}, "has no property 'password'"),
    "a null": ({"username": CONTENT, "password": None}, "has no property 'password'"),
    "a wrong port": ({"username": CONTENT, "password": CONTENT, "port": CONTENT}, "is unusable: port must be"),
    "a password with NUL": ({"username": "app", "password": f"{CONTENT}\0"}, "is unusable: password must be"),
    "a password with half a character": (
        {"username": "app", "password": f"{CONTENT}\ud800"},
        "is unusable: password must be",
    ),
    "text with NUL": (f"{CONTENT}\0", "is unusable: password must be"),
    "a URL as host": (
        {"username": "app", "password": CONTENT, "host": f"postgresql://app:{CONTENT}@127.0.0.1/shop"},
        "is unusable: host contains ':'",
    ),
    "two hosts": (
        {"username": "app", "password": CONTENT, "host": "127.0.0.1,127.0.0.2"},
        "is unusable: host contains ','",
    ),
    "a long host": ({"username": "app", "password": CONTENT, "host": "a" * 64}, "is unusable: host is too long"),
    "a user with NUL": ({"username": f"{CONTENT}\0", "password": CONTENT}, "is unusable: user must be"),
}


@pytest.mark.parametrize("case", CONTENTS)
async def test_what_a_secret_lacks(case: str, store: Store, manager: PluginManager, place: dict[str, Any]) -> None:
    content, message = CONTENTS[case]
    await asyncio.to_thread(store.put, content)
    failure = await error(manager, store, place, user="app")
    assert isinstance(failure, CredentialsError)
    assert re.search(NAMED + re.escape(message), str(failure)), failure


async def test_a_binary_secret(store: Store, manager: PluginManager, place: dict[str, Any]) -> None:
    await asyncio.to_thread(store.client.create_secret, Name=SECRET, SecretBinary=CONTENT.encode())
    failure = await error(manager, store, place)
    assert re.search(NAMED + "is binary. Store JSON with user and password, or the password as text", str(failure))


async def test_malformed_json_is_a_password_and_not_quoted(
    store: Store, manager: PluginManager, place: dict[str, Any]
) -> None:
    for text in (f'{{"password": "{CONTENT}"', f'["{CONTENT}"]', "[" * 10_000 + CONTENT):
        await asyncio.to_thread(store.put, text)
        failure = await error(manager, store, place, secret_expiration=0)
        assert "user is missing" in str(failure)
        assert failure.__cause__ is failure.__context__ is None


async def test_a_secret_that_does_not_exist(store: Store, manager: PluginManager, place: dict[str, Any]) -> None:
    failure = await error(manager, store, place)
    assert re.search(NAMED + "could not be read: ResourceNotFoundException.*pass secret_region=", str(failure))


async def test_the_wrong_region(store: Store, manager: PluginManager, place: dict[str, Any]) -> None:
    await asyncio.to_thread(store.put, {"username": "app", "password": CONTENT})
    failure = await error(manager, store, place, secret_region="us-east-1")
    assert f"secret '{SECRET}' in us-east-1 could not be read: ResourceNotFoundException" in str(failure)


async def test_a_deleted_secret(store: Store, manager: PluginManager, place: dict[str, Any]) -> None:
    await asyncio.to_thread(store.put, {"username": "app", "password": CONTENT})
    await asyncio.to_thread(store.client.delete_secret, SecretId=SECRET)
    failure = await error(manager, store, place)
    assert "deleted" in str(failure)
    assert f"aws secretsmanager restore-secret --secret-id '{SECRET}' --region {REGION}" in str(failure)


ANSWERS = {
    "AccessDeniedException": "Allow the identity secretsmanager:GetSecretValue on this secret, and kms:Decrypt",
    "DecryptionFailure": "kms:Decrypt",
    "ExpiredTokenException": "Get new credentials",
    "UnrecognizedClientException": "AWS does not know this access key",
    "AccessDenied": "Allow the identity secretsmanager:GetSecretValue on this secret",
    "InternalServiceError": "Secrets Manager or a proxy gave this answer",
    "ThrottlingException": "Secrets Manager or a proxy gave this answer",
}


@pytest.mark.parametrize("code", ANSWERS)
async def test_what_the_service_answers(code: str, store: Store, manager: PluginManager, place: dict[str, Any]) -> None:
    store.error = JsonRESTError(code, "the text of AWS")
    failure = await error(manager, store, place)
    assert re.search(f"{NAMED}could not be read: .*{code}.*the text of AWS.*{re.escape(ANSWERS[code])}", str(failure))


@pytest.mark.parametrize(
    "body",
    [
        f"<html>{CONTENT}</html>",
        "",
        "{}",
        f'{{"SecretString": "{CONTENT}',
        f'{{"SecretString": {{"password": "{CONTENT}"}}}}',
    ],
)
async def test_an_answer_without_a_secret(
    body: str, store: Store, endpoint: Endpoint, manager: PluginManager, place: dict[str, Any]
) -> None:
    """Such as that of a proxy."""
    endpoint.answer = Answer(body)
    failure = await error(manager, store, place, secret_endpoint=endpoint.url)
    assert re.search(NAMED + "could not be read: the answer holds no secret. Check that Secrets Manager", str(failure))
    assert CONTENT not in told(failure)


async def test_an_endpoint_that_does_not_listen(store: Store, manager: PluginManager, place: dict[str, Any]) -> None:
    url = f"http://127.0.0.1:{place['port']}"
    failure = await error(manager, store, place, secret_endpoint=url)
    assert re.search(f"{NAMED}could not be read: EndpointConnectionError.*{url}.*secret_endpoint", str(failure))


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg", "aiomysql"])
async def test_no_host(driver: str, store: Store, manager: PluginManager, place: dict[str, Any]) -> None:
    await asyncio.to_thread(store.put, {"username": "app", "password": CONTENT})
    failure = await error(manager, store, place, driver=driver, host=None)
    assert re.search(NAMED + "names no host. Add host to it, or pass host=", str(failure)), failure


async def test_no_credentials(
    store: Store, manager: PluginManager, place: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    failure = await error(manager, store, place)
    assert "no AWS credentials found" in str(failure)


async def test_refused_credentials_are_read_again_for_the_next_call(store: Store, place: dict[str, Any]) -> None:
    async with PluginManager("secrets_manager") as manager:
        await error(manager, store, place)  # reads the credentials
        store.error = JsonRESTError("ExpiredTokenException", "expired")
        for loads in (1, 2, 2):  # at most once in ten seconds
            await error(manager, store, place)
            assert manager.statistics().credentials_loads == loads


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no secret": ({"secret_id": None}, "secret_id is missing"),
    "a space": ({"secret_id": "my secret"}, "without spaces"),
    "a number": ({"secret_id": 7}, "secret_id must be"),
    "no ARN": ({"secret_id": "arn:aws:s3:::bucket"}, "secret_id is no ARN of a secret"),
    "two regions": ({"secret_id": ARN}, "'eu-west-1' contradicts the secret's ARN: omit secret_region"),
    "another iam_region": (
        {"secret_id": ARN, "secret_region": None, "iam_region": "eu-west-2"},
        "contradicts the secret",
    ),
    "iam_host='auto'": ({"iam_host": "auto"}, "iam_host='auto' is for the plugin 'iam'"),
    "a URL as iam_host": ({"iam_host": "https://shop"}, "iam_host contains ':'"),
    "a zone": ({"secret_region": "eu-west-1a"}, "secret_region='eu-west-1a' is an availability zone"),
    "no region": ({"secret_region": None}, "'127.0.0.1' does not contain a region: pass secret_region="),
    "no region and no host": ({"secret_region": None, "host": None}, "secret_region is missing: pass secret_region="),
    "no URL": ({"secret_endpoint": "localhost:4566"}, "secret_endpoint must be a URL"),
    "a user in the URL": ({"secret_endpoint": "http://a:b@localhost"}, "secret_endpoint must be a URL"),
    "no property": ({"secret_username_property": ""}, "secret_username_property must be"),
    "negative": ({"secret_expiration": -1}, "secret_expiration must be a number of seconds"),
    "no number": ({"secret_expiration": "soon"}, "secret_expiration must be a number of seconds"),
    "plaintext": ({"ssl": False}, "may send the secret in plaintext"),
    "two sources": ({"profile": "a", "credentials": dict}, "profile and credentials exclude each other"),
}


@pytest.mark.parametrize("option", [{"gssencmode": "prefer"}, {"ssl_min_protocol_version": "TLSv1"}])
async def test_options_that_contradict_a_secret_are_refused_before_any_traffic(
    option: dict[str, Any], store: Store, manager: PluginManager, place: dict[str, Any]
) -> None:
    for open_one in (manager.connect, manager.create_pool):
        with pytest.raises(ConfigurationError, match=next(iter(option))):
            await open_one(**{"secret_endpoint": store.url} | place | {"driver": "psycopg"} | option)
    assert store.reads == 0


@pytest.mark.parametrize("case", WRONG)
async def test_wrong_options_are_refused_before_any_traffic(
    case: str, store: Store, manager: PluginManager, place: dict[str, Any]
) -> None:
    options, message = WRONG[case]
    for open_one in (manager.connect, partial(manager.create_pool, min_size=0)):
        with pytest.raises(ConfigurationError, match=re.escape(message)):
            await open_one(**{"secret_endpoint": store.url} | place | options)
    assert store.reads == 0


HOST = "shop.c9akciq32.ap-south-1.rds.amazonaws.com"


@pytest.mark.parametrize(
    ("options", "region"),
    [
        ({"secret_region": "ca-central-1", "host": HOST}, "ca-central-1"),
        ({"secret_region": None, "host": HOST}, "ap-south-1"),
        ({"secret_region": None, "iam_region": "il-central-1", "host": HOST}, "il-central-1"),
        ({"secret_region": None, "secret_id": ARN, "host": HOST}, "us-east-1"),
    ],
)
async def test_which_region_is_asked(
    options: dict[str, Any], region: str, store: Store, manager: PluginManager, place: dict[str, Any], aws_home: Any
) -> None:
    aws_home.set(AWS_DEFAULT_REGION=REGION, AWS_REGION=REGION)
    assert f" in {region} could not be read" in str(await error(manager, store, place, **options))


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_a_secret_is_not_sent_without_tls(
    driver: str, store: Store, manager: PluginManager, place: dict[str, Any]
) -> None:
    await asyncio.to_thread(store.put, {"username": "app", "password": CONTENT})
    received = b""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        writer.write(b"N")  # to the request for TLS
        received += await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(InsecureTransportError, match="offers no TLS"):
            await manager.connect(**place | {"driver": driver, "port": port, "secret_endpoint": store.url})
    assert CONTENT.encode() not in received
