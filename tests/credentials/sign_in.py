"""A local double of AWS Sign-In, and the token file that ``aws login`` leaves behind."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.credentials.conftest import SECRET_KEY, SESSION_TOKEN

SESSION = "arn:aws:sts::123456789012:assumed-role/people/me"
CLIENT = "arn:aws:signin:::devtools/same-device"


@dataclass
class SignIn:
    """It answers refresh tokens that it has given out with keys, as the real one does, and each only once.

    Attributes:
        cache: The folder of token files.
        refusal: What it says instead, such as ``TOKEN_EXPIRED``.
        refreshes: How often it has given new keys.
    """

    cache: Path
    url: str = ""
    refusal: str | None = None
    refreshes: int = 0
    requests: int = 0
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    refresh_token: str = "refresh-0"

    @property
    def file(self) -> Path:
        return self.cache / f"{hashlib.sha256(SESSION.encode()).hexdigest()}.json"

    def log_in(self, *, seconds_left: float) -> None:
        """Leave the file that ``aws login`` writes."""
        expires = datetime.now(UTC) + timedelta(seconds=seconds_left)
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        token = {
            "accessToken": {
                "accessKeyId": "ASIALOGIN0",
                "secretAccessKey": SECRET_KEY,
                "sessionToken": SESSION_TOKEN,
                "accountId": "123456789012",
                "expiresAt": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
            "tokenType": "aws_sigv4",
            "refreshToken": self.refresh_token,
            "idToken": "id",
            "clientId": CLIENT,
            "dpopKey": pem.decode(),
        }
        self.cache.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(token))

    def answer(self, path: str, proof: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.requests += 1
        self.check_proof(proof)
        assert path == "/v1/token"
        assert (body["clientId"], body["grantType"]) == (CLIENT, "refresh_token")
        if self.refusal is not None or body["refreshToken"] != self.refresh_token:
            return 403, {"error": self.refusal or "TOKEN_EXPIRED", "message": "no"}
        self.refreshes += 1
        self.refresh_token = f"refresh-{self.refreshes}"
        keys = {"accessKeyId": f"ASIALOGIN{self.refreshes}", "secretAccessKey": SECRET_KEY}
        return 200, {
            "accessToken": keys | {"sessionToken": SESSION_TOKEN},
            "tokenType": "aws_sigv4",
            "expiresIn": 900,
            "refreshToken": self.refresh_token,
        }

    def check_proof(self, proof: str) -> None:
        """The proof of possession (RFC 9449) is signed by the key in the file, for this address."""
        signed, _, signature = proof.rpartition(".")
        header, payload = (json.loads(_decoded(part)) for part in signed.split("."))
        assert (header["typ"], header["alg"]) == ("dpop+jwt", "ES256")
        assert (payload["htm"], payload["htu"]) == ("POST", f"{self.url}/v1/token")
        raw = _decoded(signature)
        numbers = [int.from_bytes(raw[start : start + 32]) for start in (0, 32)]
        self.key.public_key().verify(encode_dss_signature(*numbers), signed.encode(), ec.ECDSA(hashes.SHA256()))


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@contextmanager
def serving(cache: Path) -> Iterator[SignIn]:
    """Serve it on a port of its own."""
    double = SignIn(cache)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            status, answer = double.answer(self.path, self.headers["DPoP"], body)
            payload = json.dumps(answer).encode()
            self.send_response(status)
            if status != 200:
                self.send_header("x-amzn-errortype", "AccessDeniedException")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
