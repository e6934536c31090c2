"""Sign a token: a presigned URL of AWS Signature Version 4, without its scheme. Pure.

The rules are those of https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html; what comes out is
byte for byte what ``generate_db_auth_token`` of botocore 1.43 makes. That one writes the canonical request and the
signature, together a usable token, to its DEBUG log, and takes twenty times as long.
"""

import functools
import hashlib
import hmac
import string
import time

from aws_iam_async.tokens.lifetime import SIGNED_FOR

_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


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
    """Return the token's text.

    Args:
        host: The endpoint's name.
        port: The endpoint's port.
        user: The database user.
        region: The region that the endpoint is in.
        access_key: The AWS access key id.
        secret_key: The AWS secret access key.
        session_token: The session token of temporary credentials.
        issued: When it is signed, in seconds since the epoch.
    """
    host = host.lower()
    timestamp = _timestamp(issued)
    day = timestamp[:8]
    # What passes for an identifier, as most names of users do, is encoded as it is.
    encoded_user = user if user.isascii() and user.isidentifier() else _quote(user)
    before = (
        f"Action=connect&DBUser={encoded_user}&X-Amz-Algorithm=AWS4-HMAC-SHA256"
        f"&X-Amz-Credential={_quote_known(access_key)}%2F{day}%2F{region}%2Frds-db%2Faws4_request"
        f"&X-Amz-Date={timestamp}&X-Amz-Expires={SIGNED_FOR}"
    )
    headers = "&X-Amz-SignedHeaders=host"
    session = f"&X-Amz-Security-Token={_quote_known(session_token)}" if session_token else ""
    # Clients leave the port out of the header where it is the scheme's own: a database on 443 is signed without it.
    signed_host = host if port == 443 else f"{host}:{port}"  # noqa: PLR2004 - https
    # Signed in alphabetical order; sent in the order that botocore sends.
    canonical = f"GET\n/\n{before}{session}{headers}\nhost:{signed_host}\n\nhost\n{_EMPTY_SHA256}"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{timestamp}\n{day}/{region}/rds-db/aws4_request\n{hashed}"
    signature = hmac.digest(_signing_key(secret_key, day, region), to_sign.encode(), "sha256").hex()
    return f"{host}:{port}/?{before}{headers}{session}&X-Amz-Signature={signature}"


# RFC 3986, section 2.3.
_UNRESERVED = frozenset(f"{string.ascii_letters}{string.digits}-._~".encode())


def _quote(text: str) -> str:
    # urllib's quote() takes longer to import than all else that a first token needs of this package.
    return "".join([chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode()])


# Many users, few credentials.
_quote_known = functools.lru_cache(maxsize=64)(_quote)


# Tokens come in bursts: a second is written once.
@functools.lru_cache(maxsize=1)
def _timestamp(issued: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(issued))


@functools.lru_cache(maxsize=64)
def _signing_key(secret_key: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, "rds-db", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
