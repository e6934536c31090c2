"""A session or an async callable of the caller's."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials

from aws_iam_async import ConfigurationError, Credentials, CredentialsError, connect
from aws_iam_async.credentials.credentials import Snapshot
from aws_iam_async.credentials.source import credentials_source
from aws_iam_async.tokens.service import TokenService
from tests.credentials.conftest import SECRET_KEY, SESSION_TOKEN


async def read(given: object) -> Snapshot:
    return await TokenService().credentials(credentials_source(credentials=given))


async def test_a_callable_that_returns_credentials() -> None:
    expires = datetime.now(UTC) + timedelta(hours=1)

    async def load() -> Credentials:
        return Credentials("ASIACALLED", "x", "y", expires)

    snapshot = await read(load)
    assert snapshot.credentials == Credentials("ASIACALLED", "x", "y", expires)
    assert snapshot.method == "callable"
    assert snapshot.expires == expires.timestamp()


async def test_a_callable_that_returns_what_botocore_has() -> None:
    async def load() -> ReadOnlyCredentials:
        return ReadOnlyCredentials("ASIACALLED", "x", "y")

    snapshot = await read(load)
    assert snapshot.credentials == Credentials("ASIACALLED", "x", "y")
    assert snapshot.expires is None


@pytest.mark.parametrize(
    "answer", [None, "SECRET-KEY-MARK", {"access_key": "SECRET-KEY-MARK"}, ("AKIA", "SECRET-KEY-MARK", None)]
)
async def test_a_callable_that_returns_something_else(answer: object) -> None:
    async def load() -> object:
        return answer

    with pytest.raises(CredentialsError, match=r"neither aws_iam_async\.Credentials") as raised:
        await read(load)
    assert "MARK" not in str(raised.value)


async def test_a_callable_that_is_not_async() -> None:
    def load() -> Credentials:
        return Credentials("AKIA", "x")

    with pytest.raises(CredentialsError, match="async def"):
        await read(load)


async def test_a_callable_that_fails() -> None:
    failure = OSError("the vault is closed")

    async def load() -> Credentials:
        raise failure

    with pytest.raises(CredentialsError, match=r"load\(\) raised OSError") as raised:
        await read(load)
    assert raised.value.__cause__ is failure


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("AKIA", "x", None, datetime(2026, 1, 1)), "expires_at must be a datetime with a time zone"),  # noqa: DTZ001 - it has none
        (("AKIA", ""), "secret_key is empty"),
        (("AKIA", '"SECRET-KEY-MARK"'), "secret_key contains"),
    ],
)
async def test_a_callable_that_makes_unusable_credentials(
    values: tuple[Any, ...], words: str, no_secret_in: Callable[..., None]
) -> None:
    async def load() -> Credentials:
        return Credentials(*values)

    with pytest.raises(CredentialsError, match=f"Credentials: {words}") as raised:
        await read(load)
    assert "MARK" not in str(raised.value)
    no_secret_in()


async def test_values_in_a_dict() -> None:
    with pytest.raises(ConfigurationError, match=r"credentials must be .*, not dict"):
        await connect("postgresql://app@db.example/shop", credentials=cast("Any", {"access_key": "SECRET-KEY-MARK"}))


async def test_a_callable_whose_inner_task_is_cancelled() -> None:
    async def load() -> Credentials:
        raise asyncio.CancelledError

    with pytest.raises(CredentialsError, match="cancelled from within"):
        await read(load)


@pytest.mark.usefixtures("aws_home")
async def test_an_aiobotocore_session(no_secret_in: Callable[..., None]) -> None:
    session = AioSession()
    session.set_credentials("AKIASESSION", SECRET_KEY, SESSION_TOKEN)
    snapshot = await read(session)
    assert (snapshot.credentials.access_key, snapshot.credentials.session_token) == ("AKIASESSION", SESSION_TOKEN)
    no_secret_in()


async def test_a_session_of_another_kind() -> None:
    class Blocking:
        def get_credentials(self) -> object:
            return object()

    with pytest.raises(CredentialsError, match="not async"):
        await read(Blocking())
