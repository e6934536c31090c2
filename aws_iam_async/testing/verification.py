"""Decide whether a token is one that RDS would accept: pure functions of the token, the account and the time.

Written from AWS's description of Signature Version 4 ("Create a signed AWS API request" in the IAM User Guide), on
purpose without a line of the code that signs tokens in this package: it is there to check that code.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from aws_iam_async.testing.account import Account
from aws_iam_async.testing.login import Reason

_LIFE = timedelta(seconds=900)
"""How long RDS accepts a token ("Each token has a lifetime of 15 minutes", Amazon RDS User Guide)."""

_SKEW = timedelta(minutes=5)
"""How far in the future a token may be signed: the clock difference that Signature Version 4 allows."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_REQUIRED = {
    "Action",
    "DBUser",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
}
_EMPTY_BODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Endpoint:
    """What a token has to be signed for.

    Attributes:
        host: The RDS name of the endpoint, in lower case.
        port: The port of the endpoint, which need not be the one that is dialled.
        region: The AWS region of the endpoint.
    """

    host: str
    port: int
    region: str


@dataclass(frozen=True)
class Verdict:
    """What was found out about a token.

    Attributes:
        reason: Why it is refused; None if it is accepted.
        access_key_id: The access key id that it names; None if it is malformed.
        issued_at: When it says it was signed; None if it is malformed.
    """

    reason: Reason | None
    access_key_id: str | None = None
    issued_at: datetime | None = None


@dataclass(frozen=True)
class _Claims:
    """A token taken apart; nothing here is verified yet."""

    host: str
    port: int
    parameters: dict[str, str] = field(repr=False)
    access_key_id: str
    scope_date: str
    region: str
    service: str
    issued_at: datetime
    life: timedelta


class _MalformedTokenError(ValueError):
    pass


def verify(
    token: str, *, endpoint: Endpoint, user: str, account: Account, now: datetime, max_age: float | None = None
) -> Verdict:
    """Judge a token.

    The signature comes first, over what the token itself claims: only of a token that is genuine can be said that it
    is genuine for another host. So a token with two faults has the reason that a person would look for first.

    Args:
        token: What the client sent as its password.
        endpoint: What the token has to be signed for.
        user: The database user who wants to log in.
        account: Whose access keys count.
        now: The time, aware.
        max_age: Refuse tokens older than this many seconds, though they be valid; default: none is too old.

    Returns:
        The verdict. No token makes this function raise.
    """
    try:
        claims = _read(token)
    except _MalformedTokenError:
        return Verdict(Reason.MALFORMED)
    reason = (
        _doubt_about_key(claims, account)
        or _doubt_about_purpose(claims, endpoint, user)
        or _doubt_about_time(claims, now, max_age)
    )
    return Verdict(reason, claims.access_key_id, claims.issued_at)


def _doubt_about_key(claims: _Claims, account: Account) -> Reason | None:
    key = account.find(claims.access_key_id)
    if key is None:
        return Reason.UNKNOWN_ACCESS_KEY
    if not _same(_signature(claims, key.secret_key), claims.parameters["X-Amz-Signature"]):
        return Reason.BAD_SIGNATURE
    if not _same(key.session_token or "", claims.parameters.get("X-Amz-Security-Token", "")):
        return Reason.WRONG_SESSION_TOKEN
    if account.is_revoked(claims.access_key_id):
        return Reason.REVOKED_ACCESS_KEY
    return None


def _doubt_about_purpose(claims: _Claims, endpoint: Endpoint, user: str) -> Reason | None:
    if claims.service != "rds-db":
        return Reason.WRONG_SERVICE
    if claims.region != endpoint.region:
        return Reason.WRONG_REGION
    if claims.host != endpoint.host:
        return Reason.WRONG_HOST
    if claims.port != endpoint.port:
        return Reason.WRONG_PORT
    if claims.parameters["DBUser"] != user:
        return Reason.WRONG_USER
    return None


def _doubt_about_time(claims: _Claims, now: datetime, max_age: float | None) -> Reason | None:
    age = now - claims.issued_at
    if age < -_SKEW:
        return Reason.NOT_YET_VALID
    if age > min(claims.life, _LIFE):
        return Reason.EXPIRED
    if max_age is not None and age > timedelta(seconds=max_age):
        return Reason.TOO_OLD
    return None


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _read(token: str) -> _Claims:
    target = re.fullmatch(r"([^/?#@:\s]+):([0-9]{1,5})/\?([!-~]+)", token)
    if target is None:
        raise _MalformedTokenError
    parameters = _parameters(target[3])
    # "<access key id>/<date>/<region>/<service>/aws4_request"
    scope = parameters["X-Amz-Credential"].split("/")
    if (
        len(scope) != 5  # noqa: PLR2004 - the five parts above
        or scope[4] != "aws4_request"
        or parameters["Action"] != "connect"
        or parameters["X-Amz-Algorithm"] != _ALGORITHM
        or parameters["X-Amz-SignedHeaders"] != "host"
        or not re.fullmatch("[0-9]{8}T[0-9]{6}Z", parameters["X-Amz-Date"])
        or not re.fullmatch("[0-9]{1,6}", parameters["X-Amz-Expires"])
        or scope[1] != parameters["X-Amz-Date"][:8]
    ):
        raise _MalformedTokenError
    try:
        issued_at = datetime.strptime(parameters["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _MalformedTokenError from None
    return _Claims(
        host=target[1],
        port=int(target[2]),
        parameters=parameters,
        access_key_id=scope[0],
        scope_date=scope[1],
        region=scope[2],
        service=scope[3],
        issued_at=issued_at,
        life=timedelta(seconds=int(parameters["X-Amz-Expires"])),
    )


def _parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for pair in query.split("&"):
        name, separator, value = pair.partition("=")
        try:
            name, value = unquote(name, errors="strict"), unquote(value, errors="strict")
        except UnicodeDecodeError:
            raise _MalformedTokenError from None
        if not separator or name in parameters:
            raise _MalformedTokenError
        parameters[name] = value
    if not parameters.keys() >= _REQUIRED:
        raise _MalformedTokenError
    return parameters


def _signature(claims: _Claims, secret_key: str) -> str:
    query = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in claims.parameters.items()
        if name != "X-Amz-Signature"
    )
    # The SDKs sign as if for https, whose own port does not stand in a Host header.
    host = claims.host.lower() if claims.port == 443 else f"{claims.host.lower()}:{claims.port}"  # noqa: PLR2004
    request = "\n".join(
        ["GET", "/", "&".join(f"{name}={value}" for name, value in query), f"host:{host}", "", "host", _EMPTY_BODY]
    )
    scope = f"{claims.scope_date}/{claims.region}/{claims.service}/aws4_request"
    text = "\n".join([_ALGORITHM, claims.parameters["X-Amz-Date"], scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{secret_key}".encode()
    for part in (claims.scope_date, claims.region, claims.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()
