"""A container's endpoint may speak plain HTTP; over TLS it is verified, also where plain HTTP redirects to it."""

import asyncio
import json
import ssl

import pytest
import trustme

from aws_iam_async import CredentialsError
from aws_iam_async.credentials.source import DEFAULT_CHAIN
from aws_iam_async.tokens.service import TokenService
from tests.credentials.conftest import AwsHome, Endpoint


async def test_plain_http(container: Endpoint) -> None:
    snapshot = await TokenService().credentials(DEFAULT_CHAIN)
    assert (snapshot.method, container.requests) == ("container-role", 1)


async def test_nobody_is_believed_to_whom_it_redirects_over_tls(aws_home: AwsHome) -> None:
    aws_home.environ.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    keys = json.dumps({"AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "example", "Token": "example"})

    async def say(writer: asyncio.StreamWriter, head: str, body: str) -> None:
        writer.write(f"HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(
        lambda _, writer: say(writer, "200 OK", keys), "127.0.0.1", 0, ssl=context
    ) as unknown:
        place = f"https://127.0.0.1:{unknown.sockets[0].getsockname()[1]}/creds"
        async with await asyncio.start_server(
            lambda _, writer: say(writer, f"307 Temporary Redirect\r\nLocation: {place}", ""), "127.0.0.1", 0
        ) as plain:
            port = plain.sockets[0].getsockname()[1]
            aws_home.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://127.0.0.1:{port}/creds")
            with pytest.raises(CredentialsError, match=r"(?i)redirect|certificate"):
                await TokenService().credentials(DEFAULT_CHAIN)


async def test_an_unknown_authority_is_not_believed(aws_home: AwsHome) -> None:
    aws_home.environ.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    spoken_to: list[object] = []
    server = await asyncio.start_server(lambda *streams: spoken_to.append(streams), "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        aws_home.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"https://127.0.0.1:{port}/creds")
        with pytest.raises(CredentialsError, match=r"(?i)certificate"):
            await TokenService().credentials(DEFAULT_CHAIN)
    assert spoken_to == []
