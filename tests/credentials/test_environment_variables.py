"""Credentials in environment variables are read as botocore reads them, and without the SDK."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from aiobotocore.credentials import AioEnvProvider
from botocore.exceptions import PartialCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from aws_iam_async import CredentialsError
from aws_iam_async.credentials.credentials import from_environment

words = st.text("ABCXYZabcxyz0189+/=_.:~@-", max_size=20)
expiries = st.sampled_from(
    ["", "2099-01-01T00:00:00Z", "2099-01-01T00:00:00+02:00", "20990101T000000Z", "1 Jan 2099 10:00 UTC", "2099-01-01"]
)
environs = st.fixed_dictionaries(
    {},
    optional={
        "AWS_ACCESS_KEY_ID": words,
        "AWS_SECRET_ACCESS_KEY": words,
        "AWS_SESSION_TOKEN": words,
        "AWS_SECURITY_TOKEN": words,
        "AWS_CREDENTIAL_EXPIRATION": expiries,
    },
)


@given(environ=environs)
async def test_botocore_reads_the_same(environ: dict[str, str]) -> None:
    try:
        theirs = await AioEnvProvider(environ).load()
    except PartialCredentialsError:
        with pytest.raises(CredentialsError, match="AWS_SECRET_ACCESS_KEY"):
            from_environment(environ)
        return
    ours = from_environment(environ)
    if theirs is None:
        assert ours is None
        return
    expiry = getattr(theirs, "_expiry_time", None)
    if ours is None:  # left to the SDK
        assert expiry is not None
        assert environ["AWS_CREDENTIAL_EXPIRATION"] in {"1 Jan 2099 10:00 UTC", "2099-01-01"}
        return
    credentials = ours.credentials
    frozen = getattr(theirs, "_frozen_credentials", None) or await theirs.get_frozen_credentials()
    assert (credentials.access_key, credentials.secret_key) == (frozen.access_key, frozen.secret_key)
    assert credentials.session_token == frozen.token
    assert credentials.expires_at == expiry
    assert ours.method == theirs.method


def test_an_expiry_at_the_end_of_time_means_never() -> None:
    snapshot = from_environment(
        {
            "AWS_ACCESS_KEY_ID": "AKIA",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_CREDENTIAL_EXPIRATION": "9999-12-31T23:59:59-05:00",
        }
    )
    assert snapshot is not None
    assert snapshot.expires is None


def test_expiry_is_kept_in_utc() -> None:
    snapshot = from_environment(
        {
            "AWS_ACCESS_KEY_ID": "AKIA",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_CREDENTIAL_EXPIRATION": "2099-01-01T01:00:00+01:00",
        }
    )
    assert snapshot is not None
    assert snapshot.credentials.expires_at == datetime(2099, 1, 1, tzinfo=UTC)


def test_a_value_that_is_no_key_is_refused_without_repeating_it() -> None:
    with pytest.raises(CredentialsError, match="AWS_SECRET_ACCESS_KEY contains a line break") as raised:
        from_environment({"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "SECRET-KEY-MARK\n"})
    assert "SECRET-KEY-MARK" not in str(raised.value)


@pytest.mark.parametrize(
    "variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"]
)
def test_the_variable_that_holds_no_key_is_named(variable: str) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x"}
    with pytest.raises(CredentialsError, match=f"{variable} contains '\"'") as raised:
        from_environment(keys | {variable: '"MARK"'})
    assert "MARK" not in str(raised.value)


def test_the_sdk_is_not_imported() -> None:
    program = """if True:
        import asyncio, os, sys
        os.environ.update(AWS_ACCESS_KEY_ID="AKIA", AWS_SECRET_ACCESS_KEY="x")
        from aws_iam_async import RdsTokenProvider
        host = "db.c9akciq32.eu-west-1.rds.amazonaws.com"
        asyncio.run(RdsTokenProvider().get_token(host=host, port=5432, user="app"))
        print(sorted({"aiobotocore", "botocore", "aiohttp"} & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n"
