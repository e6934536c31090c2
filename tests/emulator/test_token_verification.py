from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aws_iam_async.testing.account import AccessKey, Account
from aws_iam_async.testing.record import Reason
from aws_iam_async.testing.verification import Endpoint, Verdict, verify

ENDPOINT = Endpoint("shop.c9akciq32.eu-central-1.rds.amazonaws.com", 3306, "eu-central-1")
ACCOUNT = Account()
KEY = ACCOUNT.create_access_key()
TEMPORARY = ACCOUNT.create_access_key(session=True)


DSQL = Endpoint("foo0bar1baz2quux3quuux4abc.dsql.us-east-1.on.aws", 5432, "us-east-1", "dsql")


def _sign_dsql(action: str = "DbConnect") -> str:
    request = AWSRequest("GET", f"https://{DSQL.host}/", params={"Action": action})
    credentials = Credentials(TEMPORARY.access_key, TEMPORARY.secret_key, TEMPORARY.session_token)
    SigV4QueryAuth(credentials, "dsql", DSQL.region, expires=900).add_auth(request)
    return str(request.url).removeprefix("https://")


def _sign(key: AccessKey = KEY, user: str = "app", port: int = ENDPOINT.port) -> str:
    request = AWSRequest("GET", f"https://{ENDPOINT.host}:{port}/", params={"Action": "connect", "DBUser": user})
    credentials = Credentials(key.access_key, key.secret_key, key.session_token)
    SigV4QueryAuth(credentials, "rds-db", ENDPOINT.region, expires=900).add_auth(request)
    return str(request.url).removeprefix("https://")


def _verify(token: str, *, user: str = "app", endpoint: Endpoint = ENDPOINT, max_age: float | None = None) -> Verdict:
    return verify(token, endpoint=endpoint, user=user, account=ACCOUNT, now=datetime.now(UTC), max_age=max_age)


@pytest.mark.parametrize("key", [KEY, TEMPORARY], ids=["lasting", "temporary"])
def test_a_genuine_token_is_accepted(key: AccessKey) -> None:
    verdict = _verify(_sign(key))
    assert (verdict.reason, verdict.access_key_id) == (None, key.access_key)
    assert verdict.issued_at is not None
    assert timedelta(0) <= datetime.now(UTC) - verdict.issued_at < timedelta(minutes=1)


@settings(deadline=None)
@given(user=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
@example(user="a b+c%2B/~*'()\"é")
def test_every_user_name_is_verified_as_it_is(user: str) -> None:
    token = _sign(user=user)
    assert _verify(token, user=user).reason is None
    assert _verify(token, user=user + "x").reason is Reason.WRONG_USER


TOKENS = {
    "lasting": (_sign(), ENDPOINT),
    "temporary": (_sign(TEMPORARY), ENDPOINT),
    "dsql": (_sign_dsql(), DSQL),
}


@settings(deadline=None)
@given(data=st.data())
@pytest.mark.parametrize(("token", "endpoint"), TOKENS.values(), ids=TOKENS)
def test_a_token_with_any_one_character_changed_is_refused(token: str, endpoint: Endpoint, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda other: other != token[at]))
    changed = token[:at] + other + token[at + 1 :]
    # In a percent-encoded byte, upper and lower case mean the same.
    same = changed.lower() == token.lower() and "%" in token[at - 2 : at]
    assert (_verify(changed, endpoint=endpoint).reason is None) == same


@settings(deadline=None)
@given(st.text())
def test_no_text_is_accepted_or_raises(text: str) -> None:
    assert _verify(text).reason is Reason.MALFORMED


@settings(deadline=None)
@given(pieces=st.lists(st.sampled_from(_sign(TEMPORARY).replace("?", "&").split("&")), max_size=12), data=st.data())
def test_no_mixture_of_a_tokens_parts_is_accepted_or_raises(pieces: list[str], data: st.DataObject) -> None:
    separators = data.draw(st.lists(st.sampled_from("?&=/%"), min_size=len(pieces), max_size=len(pieces)))
    mixture = "".join(piece + separator for piece, separator in zip(pieces, separators, strict=True))
    assert _verify(mixture).reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Action=connect", "Action=drop"),
        ("Action=connect&", ""),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host%3Bx-evil"),
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
        ("aws4_request", "aws3_request"),
        ("X-Amz-Expires=900", "X-Amz-Expires=-900"),
        ("X-Amz-Expires=900", "X-Amz-Expires=9e9"),
        ("DBUser=app", "DBUser=app&DBUser=admin"),
        ("DBUser=app", "DBUser=%ff"),
        ("DBUser=app", "DBUser"),
        ("DBUser=app", "DBUser=äpp"),
        (":3306/", "/"),
        (":3306/", ":3306/path"),
        ("T", "t"),
    ],
)
def test_what_lacks_a_part_of_a_token_is_malformed(old: str, new: str) -> None:
    token = _sign()
    assert old in token
    assert _verify(token.replace(old, new)) == Verdict(Reason.MALFORMED)


def test_a_date_that_is_none_is_malformed() -> None:
    token = _sign()
    date = token.split("X-Amz-Date=")[1][:8]
    assert _verify(token.replace(date, "20261399")) == Verdict(Reason.MALFORMED)


def test_the_day_of_the_key_has_to_be_the_day_of_the_signature() -> None:
    token = _sign()
    date = token.split("X-Amz-Date=")[1][:8]
    assert _verify(token.replace(date, "20200101", 1)) == Verdict(Reason.MALFORMED)


def _sign_as_javascript(host: str, port: int) -> str:
    """Sign as @aws-sdk/rds-signer 3 does: the Host header holds the host and the port as they were given."""
    request = AWSRequest("GET", f"https://{host}:{port}/", params={"Action": "connect", "DBUser": "app"})
    request.headers["host"] = f"{host}:{port}"
    SigV4QueryAuth(Credentials(KEY.access_key, KEY.secret_key), "rds-db", ENDPOINT.region, expires=900).add_auth(
        request
    )
    return str(request.url).removeprefix("https://")


def test_a_host_with_capitals_is_another_host_by_whatever_signer() -> None:
    assert _verify(_sign_as_javascript(ENDPOINT.host, ENDPOINT.port)).reason is None
    capitals = ENDPOINT.host.replace("shop.", "SHOP.")
    assert _verify(_sign_as_javascript(capitals, ENDPOINT.port)).reason is Reason.WRONG_HOST
    assert _verify(_sign().replace("shop.", "SHOP.")).reason is Reason.WRONG_HOST
    tampered = _sign_as_javascript(capitals, ENDPOINT.port).replace("SHOP.", "SHOq.")
    assert _verify(tampered).reason is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("sign", [lambda: _sign(port=443), lambda: _sign_as_javascript(ENDPOINT.host, 443)])
def test_the_port_of_https_may_be_signed_or_left_out(sign: Callable[[], str]) -> None:
    endpoint = Endpoint(ENDPOINT.host, 443, ENDPOINT.region)
    assert _verify(sign(), endpoint=endpoint).reason is None
    assert _verify(sign()).reason is Reason.WRONG_PORT


def test_a_token_may_be_too_old_before_it_expires() -> None:
    token = _sign()
    later = datetime.now(UTC) + timedelta(seconds=100)
    for max_age, reason in ((90.0, Reason.TOO_OLD), (110.0, None)):
        verdict = verify(token, endpoint=ENDPOINT, user="app", account=ACCOUNT, now=later, max_age=max_age)
        assert verdict.reason is reason


@pytest.mark.parametrize("user", ["admin", "app", "Admin"])
def test_a_token_of_dsql_is_for_the_kind_of_user(user: str) -> None:
    right, wrong = ("DbConnectAdmin", "DbConnect") if user == "admin" else ("DbConnect", "DbConnectAdmin")
    assert _verify(_sign_dsql(right), user=user, endpoint=DSQL).reason is None
    assert _verify(_sign_dsql(wrong), user=user, endpoint=DSQL).reason is Reason.WRONG_ACTION
    assert _verify(_sign_dsql(right), user=user).reason is Reason.WRONG_SERVICE
    assert _verify(_sign(), endpoint=DSQL).reason is Reason.WRONG_SERVICE
