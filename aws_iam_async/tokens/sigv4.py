"""Sign a token: a presigned URL of AWS Signature Version 4, without its scheme. Pure.

The rules are those of https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html. The result is byte
for byte that of ``generate_db_auth_token`` and ``generate_db_connect_auth_token`` in botocore 1.43. The signer of
botocore takes twenty times as long. It also writes the canonical request and the signature, together a usable token, to
its DEBUG log.
"""

import functools
import hashlib
import hmac
import time
from urllib.parse import quote

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.secret import Bearer, Secret
from aws_iam_async.tokens.token import TokenKey

_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_HTTPS_PORT = 443


def presign(key: TokenKey, credentials: Credentials, issued: int) -> Bearer:
    """Return the token's string, signed at ``issued`` seconds since the epoch."""
    host, netloc = key.host.lower(), key.netloc.lower()
    timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(issued))
    day = timestamp[:8]
    scope = f"{day}/{key.region}/{key.kind.service}/aws4_request"
    parameters = {
        **key.kind.query(key.user),
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{credentials.access_key}/{scope}",
        "X-Amz-Date": timestamp,
        "X-Amz-Expires": str(key.kind.longest_life),
        "X-Amz-SignedHeaders": "host",
    }
    if credentials.session_token:
        parameters["X-Amz-Security-Token"] = credentials.session_token
    # Secrets, because they contain the session token, and tracebacks may show local variables. In botocore's order.
    pairs = [Secret(f"{name}={quote(value, safe='')}") for name, value in parameters.items()]
    # Clients leave out the scheme's own port in the header: a database on port 443 is signed without it.
    signed_host = host if key.port == _HTTPS_PORT else netloc
    request = Secret(f"GET\n/\n{'&'.join(sorted(pairs))}\nhost:{signed_host}\n\nhost\n{_EMPTY_SHA256}")
    to_sign = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    # The key is not in a local variable, which tracebacks may show.
    signature = hmac.digest(
        _signing_key(credentials.secret_key, day, key.region, key.kind.service), to_sign.encode(), "sha256"
    ).hex()
    return Bearer(f"{netloc}/?{'&'.join(pairs)}&X-Amz-Signature={signature}")


@functools.lru_cache(maxsize=64)
def _signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
