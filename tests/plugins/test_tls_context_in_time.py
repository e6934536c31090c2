"""The TLS context is built while a token is waited for, and it is the one that the connections use."""

import asyncio
import ssl

import pytest

import aws_iam_async
from aws_iam_async import drivers
from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.trust import contexts
from aws_iam_async.trust.contexts import ContextCache, Setting
from benchmarks import stubbed_driver

SECONDS = 10
CREDENTIALS = Credentials("AKIAIOSFODNN7EXAMPLE", "example")


@pytest.fixture
async def built(monkeypatch: pytest.MonkeyPatch) -> list[Setting]:
    """The settings for which a context was built."""
    settings: list[Setting] = []

    def build(setting: Setting) -> ssl.SSLContext:
        settings.append(setting)
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    monkeypatch.setattr(contexts, "shared", ContextCache(build))
    await drivers.load("asyncpg")
    monkeypatch.setattr("asyncpg.connect", stubbed_driver.connect)
    return settings


async def test_a_source_of_credentials_that_takes_its_time(built: list[Setting]) -> None:
    async def credentials() -> Credentials:
        async with asyncio.timeout(SECONDS):
            while not built:  # noqa: ASYNC110 - built in another thread
                await asyncio.sleep(0.001)
        return CREDENTIALS

    async with aws_iam_async.PluginManager(credentials=credentials) as manager:
        await asyncio.gather(*(manager.connect(**stubbed_driver.KEYWORDS) for _ in range(10)))
    assert built == [Setting("verify-full", alpn="postgresql")]


async def test_a_pool_has_it_ready_for_its_first_connection(built: list[Setting]) -> None:
    async def credentials() -> Credentials:
        return CREDENTIALS

    async with aws_iam_async.PluginManager(credentials=credentials) as manager:
        pool = await manager.create_pool(**stubbed_driver.KEYWORDS, min_size=0)
        ready = [*built]
        await manager.connect(**stubbed_driver.KEYWORDS)
        await pool.close()
    assert built == ready == [Setting("verify-full", alpn="postgresql")]


async def test_a_file_that_cannot_be_read_is_told_when_there_is_a_token(
    built: list[Setting], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contexts, "shared", ContextCache())
    answers: list[Credentials] = []

    async def credentials() -> Credentials:
        return answers.pop()

    async with aws_iam_async.PluginManager(credentials=credentials) as manager:
        for error in (aws_iam_async.CredentialsError, aws_iam_async.ConfigurationError):
            with pytest.raises(error):
                await manager.connect(**stubbed_driver.KEYWORDS, sslrootcert="nowhere.pem")
            answers.append(CREDENTIALS)
    assert built == []
