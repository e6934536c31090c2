"""The signed text is byte for byte what botocore makes."""

import string
import traceback
from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from aws_iam_async import Credentials
from aws_iam_async.credentials.source import DEFAULT_CHAIN
from aws_iam_async.secret import Secret
from aws_iam_async.tokens import sigv4
from aws_iam_async.tokens.token import TokenKey

HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
KEYS = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}

keys = st.text(string.ascii_letters + string.digits + "_+/=.:~@-", min_size=1, max_size=60)
users = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
hosts = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,20}(\.[a-z0-9]{1,10}){1,4}", fullmatch=True)
regions = st.from_regex(r"[a-z]{2}(-[a-z]{3,9}){1,2}-[0-9]{1,2}", fullmatch=True)
moments = st.integers(min_value=946_684_800, max_value=4_102_444_800)


def presign(
    *,
    host: str,
    port: int,
    user: str,
    region: str,
    access_key: str,
    secret_key: str,
    session_token: str | None,
    issued: int,
) -> str:
    credentials = Credentials(access_key, secret_key, session_token)
    return sigv4.presign(TokenKey(host, port, user, region, DEFAULT_CHAIN), credentials, issued)


def botocore_presign(
    *,
    host: str,
    port: int,
    user: str,
    region: str,
    access_key: str,
    secret_key: str,
    session_token: str | None,
    issued: int,
) -> str:
    """What generate_db_auth_token does, with the clock stopped."""
    body = {"Action": "connect", "DBUser": user}
    aws_request = AWSRequest(method="GET", url=f"https://{host}:{port}/", data=body, headers={})
    signer = SigV4QueryAuth(BotocoreCredentials(access_key, secret_key, session_token), "rds-db", region, expires=900)
    with patch("botocore.auth.get_current_datetime", return_value=datetime.fromtimestamp(issued, UTC)):
        signer.add_auth(aws_request)
    return str(aws_request.url).removeprefix("https://")


@given(
    host=hosts,
    port=st.integers(min_value=1, max_value=65535),
    user=users,
    region=regions,
    access_key=keys,
    secret_key=keys,
    session_token=st.none() | keys,
    issued=moments,
)
def test_is_what_botocore_makes(
    host: str,
    port: int,
    user: str,
    region: str,
    access_key: str,
    secret_key: str,
    session_token: str | None,
    issued: int,
) -> None:
    options = {
        "port": port,
        "user": user,
        "region": region,
        "access_key": access_key,
        "secret_key": secret_key,
        "session_token": session_token,
        "issued": issued,
    }
    ours = presign(host=host, **options)  # type: ignore[arg-type]  # of the types just drawn
    theirs = botocore_presign(host=host.lower(), **options)  # type: ignore[arg-type]  # of the types just drawn
    assert ours == theirs


@pytest.mark.parametrize("user", ["app", "a b", "a/b", "a~b", "a+b%20", "ärger", "日本", "o'neil", "a&b=c#d?e", "*"])
@pytest.mark.parametrize("port", [443, 5432])
def test_user_names_that_need_encoding(user: str, port: int) -> None:
    options = {"port": port, "user": user, "region": "us-east-1", "session_token": None, "issued": 1_800_000_000}
    token = presign(host=HOST, **KEYS, **options)  # type: ignore[arg-type]  # the types are right
    assert token == botocore_presign(host=HOST, **KEYS, **options)  # type: ignore[arg-type]  # the same
    assert parse_qs(urlsplit(f"//{token}").query)["DBUser"] == [user]


def test_is_what_generate_db_auth_token_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.session  # noqa: PLC0415 - half a second, which only this test needs

    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    session = botocore.session.Session()
    session.set_credentials(KEYS["access_key"], KEYS["secret_key"], "a/session/token+==")
    client = session.create_client("rds", region_name="us-east-1")
    # With awscrt installed, that signs, and writes the parameters in another order.
    monkeypatch.setitem(botocore.auth.AUTH_TYPE_MAPS, "v4-query", SigV4QueryAuth)
    with patch("botocore.auth.get_current_datetime", return_value=datetime.fromtimestamp(1_800_000_000, UTC)):
        theirs = client.generate_db_auth_token(HOST, 5432, "app/ä ~")  # type: ignore[attr-defined]  # made at run time
    ours = presign(
        host=HOST,
        port=5432,
        user="app/ä ~",
        region="us-east-1",
        **KEYS,
        session_token="a/session/token+==",
        issued=1_800_000_000,
    )
    assert parse_qs(urlsplit(f"//{ours}").query) == parse_qs(urlsplit(f"//{theirs}").query)
    assert ours == theirs


def test_host_is_signed_in_lower_case() -> None:
    options = {"port": 5432, "user": "app", "region": "us-east-1", "session_token": None, "issued": 1_800_000_000}
    upper = presign(host=HOST.upper(), **KEYS, **options)  # type: ignore[arg-type]  # of the right types
    assert upper == presign(host=HOST, **KEYS, **options)  # type: ignore[arg-type]  # of the right types


def test_a_traceback_with_locals_tells_no_session_token(monkeypatch: pytest.MonkeyPatch) -> None:
    session_token = Secret("FwoGZXIvYXdzEXAMPLE")
    credentials = Credentials(KEYS["access_key"], KEYS["secret_key"], session_token)
    monkeypatch.setattr("hmac.digest", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError) as raised:
        sigv4.presign(TokenKey(HOST, 5432, "app", "us-east-1", DEFAULT_CHAIN), credentials, 0)
    told = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())
    assert "parameters = " in told
    assert str(session_token) not in told.replace(" ", "")
