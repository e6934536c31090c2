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
from typing import NamedTuple

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
    # What passes for an identifier, as most names of users do, is encoded as it is.
    encoded = user if user.isascii() and user.isidentifier() else _quote(user)
    around = _around(host, port, region, access_key, session_token, issued)
    hashed = hashlib.sha256(f"{around.request}{encoded}{around.signed}".encode()).hexdigest()
    to_sign = f"{around.scope}{hashed}".encode()
    # The key is no local: tracebacks may show those.
    signature = hmac.digest(_signing_key(secret_key, around.day, region), to_sign, "sha256").hex()
    return f"{around.url}{encoded}{around.sent}{signature}"


class _Around(NamedTuple):
    """All that is the same for every user."""

    day: str
    # What comes before and after the user's name: in the request that is signed, and in the token.
    request: str
    signed: str
    url: str
    sent: str
    # What comes before the request's hash in the text to sign.
    scope: str

    def __repr__(self) -> str:
        # Tracebacks with locals show it, and the session token is in it.
        return "**********"


# Tokens for many users come in bursts; what is of another second is of no use any more.
@functools.lru_cache(maxsize=4)
def _around(host: str, port: int, region: str, access_key: str, session_token: str | None, issued: int) -> _Around:
    host = host.lower()
    timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(issued))
    day = timestamp[:8]
    scope = f"{day}/{region}/rds-db/aws4_request"
    query = "Action=connect&DBUser="
    parameters = (
        f"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={_quote(f'{access_key}/{scope}')}"
        f"&X-Amz-Date={timestamp}&X-Amz-Expires={SIGNED_FOR}"
    )
    session = f"&X-Amz-Security-Token={_quote_known(session_token)}" if session_token else ""
    headers = "&X-Amz-SignedHeaders=host"
    # Clients leave the port out of the header where it is the scheme's own: a database on 443 is signed without it.
    signed_host = host if port == 443 else f"{host}:{port}"  # noqa: PLR2004 - https
    return _Around(
        day,
        request=f"GET\n/\n{query}",
        # In alphabetical order; sent in the order that botocore sends.
        signed=f"{parameters}{session}{headers}\nhost:{signed_host}\n\nhost\n{_EMPTY_SHA256}",
        url=f"{host}:{port}/?{query}",
        sent=f"{parameters}{headers}{session}&X-Amz-Signature=",
        scope=f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n",
    )


# RFC 3986, section 2.3.
_UNRESERVED = frozenset(f"{string.ascii_letters}{string.digits}-._~".encode())


def _quote(text: str) -> str:
    # urllib's quote() takes longer to import than all else that a first token needs of this package.
    return "".join([chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode()])


# Long, and the same for hours.
_quote_known = functools.lru_cache(maxsize=16)(_quote)


@functools.lru_cache(maxsize=64)
def _signing_key(secret_key: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, "rds-db", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
