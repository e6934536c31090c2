"""The TLS context is built while a token is waited for, and it is the one that the connections use."""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

import aws_iam_async
from benchmarks import stubbed_driver

SECONDS = 10
CREDENTIALS = aws_iam_async.Credentials("AKIAIOSFODNN7EXAMPLE", "example")


@pytest.fixture
def authorities(tmp_path: Path) -> str:
    """A file of certificates that no context was built with before."""
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(file)
    return str(file)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, authorities: str) -> Iterator[list[ssl.SSLContext]]:
    """The contexts built with these certificates."""
    contexts: list[ssl.SSLContext] = []
    load = ssl.SSLContext.load_verify_locations

    def noted(context: ssl.SSLContext, *args: Any, **kwargs: Any) -> None:
        load(context, *args, **kwargs)
        if authorities in map(str, (*args, *kwargs.values())):
            contexts.append(context)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", noted)
    with stubbed_driver.stubbed():
        yield contexts


async def test_a_source_of_credentials_that_takes_its_time(built: list[ssl.SSLContext], authorities: str) -> None:
    async def credentials() -> aws_iam_async.Credentials:
        async with asyncio.timeout(SECONDS):
            while not built:  # noqa: ASYNC110 - built in another thread
                await asyncio.sleep(0.001)
        return CREDENTIALS

    async with aws_iam_async.PluginManager(credentials=credentials) as manager:
        options = {**stubbed_driver.KEYWORDS, "sslrootcert": authorities}
        await asyncio.gather(*(manager.connect(**options) for _ in range(10)))
    assert len(built) == 1


async def test_a_pool_has_it_ready_for_its_first_connection(built: list[ssl.SSLContext], authorities: str) -> None:
    async def credentials() -> aws_iam_async.Credentials:
        return CREDENTIALS

    async with aws_iam_async.PluginManager(credentials=credentials) as manager:
        options = {**stubbed_driver.KEYWORDS, "sslrootcert": authorities}
        pool = await manager.create_pool(**options, min_size=0)
        ready = [*built]
        await manager.connect(**options)
        await pool.close()
    assert len(ready) == 1
    assert built == ready


async def test_a_file_that_cannot_be_read_is_told_when_there_is_a_token() -> None:
    answers: list[aws_iam_async.Credentials] = []

    async def credentials() -> aws_iam_async.Credentials:
        return answers.pop()

    async with aws_iam_async.PluginManager(credentials=credentials) as manager:
        for error in (aws_iam_async.CredentialsError, aws_iam_async.ConfigurationError):
            with pytest.raises(error):
                await manager.connect(**stubbed_driver.KEYWORDS, sslrootcert="nowhere.pem")
            answers.append(CREDENTIALS)
