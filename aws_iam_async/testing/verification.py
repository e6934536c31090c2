"""Verification of tokens by the rules of RDS and Aurora DSQL: pure functions of the token, the account and the time.

It follows AWS's description of Signature Version 4 ("Create a signed AWS API request", IAM User Guide). It shares no
code with the signer of this package, because it exists to check that signer.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from aws_iam_async.testing.account import Account
from aws_iam_async.testing.record import Reason

_MAX_LIFETIMES = {"rds-db": timedelta(minutes=15), "dsql": timedelta(weeks=1)}
"""By service. "Each token has a lifetime of 15 minutes", Amazon RDS User Guide; "the maximum duration you can set is 1
week", Amazon Aurora DSQL User Guide."""

_MAX_CLOCK_SKEW = timedelta(minutes=5)
"""The clock difference that Signature Version 4 allows."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_HTTPS_PORT = 443
_REQUIRED_PARAMETERS = {
    "Action",
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
    """The endpoint that a token must be signed for.

    Attributes:
        host: The host name, in lower case.
        port: The port of the endpoint. It may differ from the port that clients connect to. Tokens of Aurora DSQL are
            for every port.
        region: The AWS region of the endpoint.
        service: The service in the signature, ``"rds-db"`` or ``"dsql"``.
    """

    host: str
    port: int
    region: str
    service: str = "rds-db"


@dataclass(frozen=True)
class Verdict:
    """The result of verifying a token.

    Attributes:
        reason: Why the token is refused. None if it is accepted.
        access_key_id: The access key id in the token. None if the token is malformed.
        issued_at: The signing time in the token. None if the token is malformed.
    """

    reason: Reason | None
    access_key_id: str | None = None
    issued_at: datetime | None = None


@dataclass(frozen=True)
class _Claims:
    """The parsed, unverified content of a token."""

    host: str
    port: int | None
    parameters: dict[str, str] = field(repr=False)
    access_key_id: str
    scope_date: str
    region: str
    service: str
    issued_at: datetime
    lifetime: timedelta


class _MalformedTokenError(ValueError):
    pass


def verify(
    token: str, *, endpoint: Endpoint, user: str, account: Account, now: datetime, max_age: float | None = None
) -> Verdict:
    """Verify a token.

    The signature is checked first, over the token's own claims. Reasons such as ``WRONG_HOST`` therefore mean that the
    token is genuine, but for another host.

    Args:
        token: The password that the client sent.
        endpoint: The endpoint that the token must be signed for.
        user: The database user that the client named.
        account: The account with the valid access keys.
        now: The current time, timezone-aware.
        max_age: Refuse tokens older than this many seconds. Default: no limit below the token's lifetime.

    Returns:
        The verdict. This function does not raise for any token.
    """
    try:
        claims = _parse(token)
    except _MalformedTokenError:
        return Verdict(Reason.MALFORMED)
    reason = (
        _refusal_of_key(claims, account)
        or _refusal_of_target(claims, endpoint, user)
        or _refusal_of_age(claims, now, max_age)
    )
    return Verdict(reason, claims.access_key_id, claims.issued_at)


def _refusal_of_key(claims: _Claims, account: Account) -> Reason | None:
    key = account.find(claims.access_key_id)
    if key is None:
        return Reason.UNKNOWN_ACCESS_KEY
    signature = claims.parameters["X-Amz-Signature"]
    if not any(_equal(_signature(claims, key.secret_key, host), signature) for host in _signed_hosts(claims)):
        return Reason.BAD_SIGNATURE
    if not _equal(key.session_token or "", claims.parameters.get("X-Amz-Security-Token", "")):
        return Reason.WRONG_SESSION_TOKEN
    if account.is_revoked(claims.access_key_id):
        return Reason.REVOKED_ACCESS_KEY
    return None


def _refusal_of_target(claims: _Claims, endpoint: Endpoint, user: str) -> Reason | None:
    if claims.service != endpoint.service:
        return Reason.WRONG_SERVICE
    if claims.region != endpoint.region:
        return Reason.WRONG_REGION
    if claims.host != endpoint.host:
        return Reason.WRONG_HOST
    if claims.service == "dsql":
        action = "DbConnectAdmin" if user == "admin" else "DbConnect"
        return None if claims.parameters["Action"] == action else Reason.WRONG_ACTION
    if claims.port != endpoint.port:
        return Reason.WRONG_PORT
    return None if claims.parameters["DBUser"] == user else Reason.WRONG_USER


def _refusal_of_age(claims: _Claims, now: datetime, max_age: float | None) -> Reason | None:
    age = now - claims.issued_at
    if age < -_MAX_CLOCK_SKEW:
        return Reason.NOT_YET_VALID
    if age > min(claims.lifetime, _MAX_LIFETIMES[claims.service]):
        return Reason.EXPIRED
    if max_age is not None and age > timedelta(seconds=max_age):
        return Reason.TOO_OLD
    return None


def _equal(expected: str, actual: str) -> bool:
    return hmac.compare_digest(expected.encode(), actual.encode())


def _parse(token: str) -> _Claims:
    target = re.fullmatch(r"([^/?#@:\s]+)(?::([0-9]{1,5}))?/\?([!-~]+)", token)
    if target is None:
        raise _MalformedTokenError
    parameters = _parse_query(target[3])
    match parameters["X-Amz-Credential"].split("/"):
        case [access_key_id, scope_date, region, service, "aws4_request"]:
            pass
        case _:
            raise _MalformedTokenError
    port = None if target[2] is None else int(target[2])
    if (
        not _has_form_of_service(service, port, parameters)
        or parameters["X-Amz-Algorithm"] != _ALGORITHM
        or parameters["X-Amz-SignedHeaders"] != "host"
        or not re.fullmatch("[0-9]{8}T[0-9]{6}Z", parameters["X-Amz-Date"])
        or not re.fullmatch("[0-9]{1,6}", parameters["X-Amz-Expires"])
        or scope_date != parameters["X-Amz-Date"][:8]
    ):
        raise _MalformedTokenError
    try:
        issued_at = datetime.strptime(parameters["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _MalformedTokenError from None
    return _Claims(
        host=target[1],
        port=port,
        parameters=parameters,
        access_key_id=access_key_id,
        scope_date=scope_date,
        region=region,
        service=service,
        issued_at=issued_at,
        lifetime=timedelta(seconds=int(parameters["X-Amz-Expires"])),
    )


def _has_form_of_service(service: str, port: int | None, parameters: dict[str, str]) -> bool:
    if service == "dsql":
        return port is None and parameters["Action"] in {"DbConnect", "DbConnectAdmin"}
    return port is not None and parameters["Action"] == "connect" and "DBUser" in parameters


def _parse_query(query: str) -> dict[str, str]:
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
    if not parameters.keys() >= _REQUIRED_PARAMETERS:
        raise _MalformedTokenError
    return parameters


def _signed_hosts(claims: _Claims) -> set[str]:
    """Return the forms of the Host header with which AWS's SDKs sign the host and port of a token.

    botocore 1.43 writes it in lower case and without the port of https. The JavaScript SDK 3 writes both as they are.
    """
    if claims.port is None:
        return {claims.host, claims.host.lower()}
    without_port = {claims.host.lower()} if claims.port == _HTTPS_PORT else set()
    return {f"{claims.host}:{claims.port}", f"{claims.host.lower()}:{claims.port}"} | without_port


def _signature(claims: _Claims, secret_key: str, host: str) -> str:
    query = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in claims.parameters.items()
        if name != "X-Amz-Signature"
    )
    canonical_request = "\n".join(
        ["GET", "/", "&".join(f"{name}={value}" for name, value in query), f"host:{host}", "", "host", _EMPTY_BODY]
    )
    scope = f"{claims.scope_date}/{claims.region}/{claims.service}/aws4_request"
    string_to_sign = "\n".join(
        [_ALGORITHM, claims.parameters["X-Amz-Date"], scope, hashlib.sha256(canonical_request.encode()).hexdigest()]
    )
    key = f"AWS4{secret_key}".encode()
    for part in (claims.scope_date, claims.region, claims.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, string_to_sign.encode(), "sha256").hex()
