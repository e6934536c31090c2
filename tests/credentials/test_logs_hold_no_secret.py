"""With every logger at DEBUG from the start, the SDK's first use leaves no secret in the log."""

import subprocess
import sys

import pytest

from tests.credentials.conftest import SECRET_KEY, SESSION_TOKEN, Answer, AwsHome, Endpoint, assumed_role

PROGRAM = """if True:
    import asyncio, logging
    logging.basicConfig(level=1)
    from aws_iam_async import RdsTokenProvider
    host = "db.c9akciq32.eu-west-1.rds.amazonaws.com"
    token = asyncio.run(RdsTokenProvider(OPTIONS).get_token(host=host, port=5432, user="app"))
    print(token.access_key_id)
    logging.getLogger("botocore.parsers").debug("of the application's own use")
"""


@pytest.mark.parametrize(
    ("options", "environ"),
    [
        ('profile="reader"', {}),
        (
            'role_arn="arn:aws:iam::123456789012:role/reader"',
            {"AWS_ACCESS_KEY_ID": "AKIABASE", "AWS_SECRET_ACCESS_KEY": SECRET_KEY},
        ),
    ],
    ids=["role of a profile", "role as an option"],
)
def test_the_first_use_of_the_sdk(aws_home: AwsHome, endpoint: Endpoint, options: str, environ: dict[str, str]) -> None:
    aws_home.set(**environ)
    aws_home.set(AWS_ENDPOINT_URL_STS=endpoint.url)
    aws_home.config.write_text(
        "[profile reader]\nregion=us-east-1\nrole_arn=arn:aws:iam::123456789012:role/reader\nsource_profile=base\n"
        f"[profile base]\naws_access_key_id=AKIABASE\naws_secret_access_key={SECRET_KEY}\n"
    )
    endpoint.answer = Answer(assumed_role())
    command = [sys.executable, "-W", "error", "-c", PROGRAM.replace("OPTIONS", options)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "ASIAROLE1\n"
    assert "ASIAROLE1" in done.stderr  # this package's own record: the access key ID and the source
    assert "of the application's own use" in done.stderr
    for secret in (SECRET_KEY, SESSION_TOKEN, "Signature="):
        assert secret not in done.stderr
