"""Roles are assumed at an independent implementation of STS: moto."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from aws_iam_async.credentials.source import DEFAULT_CHAIN, credentials_source
from aws_iam_async.tokens.service import TokenService
from tests.credentials.conftest import SECRET_KEY, AwsHome

ROLE = "arn:aws:iam::123456789012:role/app"


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def sts(aws_home: AwsHome, moto_url: str) -> None:
    aws_home.set(AWS_ENDPOINT_URL_STS=moto_url, AWS_DEFAULT_REGION="us-east-1")


async def test_a_role_with_a_source_profile(aws_home: AwsHome) -> None:
    aws_home.config.write_text(
        f"[profile reader]\nrole_arn = {ROLE}\nsource_profile = base\n"
        f"[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = {SECRET_KEY}\n"
    )
    snapshot = await TokenService().credentials(credentials_source(profile="reader"))
    check(snapshot.credentials.access_key, snapshot.credentials.expires_at)
    assert snapshot.method == "assume-role"


async def test_a_web_identity(aws_home: AwsHome, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a.web.token")
    aws_home.set(AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=str(token), AWS_ROLE_SESSION_NAME="tests")
    snapshot = await TokenService().credentials(DEFAULT_CHAIN)
    check(snapshot.credentials.access_key, snapshot.credentials.expires_at)
    assert snapshot.method == "assume-role-with-web-identity"


def check(access_key: str, expires_at: datetime | None) -> None:
    assert access_key.startswith("ASIA")
    assert expires_at is not None
    assert 3000 < (expires_at - datetime.now(UTC)).total_seconds() < 4000
