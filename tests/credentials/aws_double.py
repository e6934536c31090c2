"""A local double of what gives out credentials in AWS: container endpoint, instance metadata, STS, SSO portal."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs

from tests.credentials.conftest import SECRET_KEY, SESSION_TOKEN

METADATA_TOKEN = "METADATA-TOKEN-MARK"
METADATA = "/latest/meta-data/iam/security-credentials/"
PORTAL = "/federation/credentials"

REFUSAL = """
<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>
  <Type>Sender</Type><Code>{}</Code><Message>{}</Message>
</Error></ErrorResponse>
"""


@dataclass
class AwsDouble:
    """What it does, and what it was asked; tests change the former at any time.

    Attributes:
        serial: Stands at the end of the access key ids that are given out.
        expires: Until when.
        mode: ``down`` answers 500, ``garbled`` breaks the answer off in the middle of a secret.
        caller_tokens: What callers proved themselves with: authorization, web identity or SSO tokens.
        refusal: The code and the message with which STS refuses, if it does.
        assumed: What STS was asked, each with the access key id that signed it, and the region.
        given: How often credentials were given out.
        metadata_tokens: Whether the instance's metadata asks for a token, as version 2 of its protocol does.
    """

    url: str = ""
    serial: int = 1
    expires: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1))
    mode: Literal["works", "down", "garbled"] = "works"
    metadata_tokens: bool = True
    metadata_tokens_arrive: bool = True
    caller_tokens: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    refusal: tuple[str, str] | None = None
    assumed: list[dict[str, str]] = field(default_factory=list)
    given: int = 0
    open: threading.Event = field(default_factory=threading.Event)

    @property
    def timestamp(self) -> str:
        return self.expires.strftime("%Y-%m-%dT%H:%M:%SZ")

    def put(self, path: str, headers: dict[str, str]) -> tuple[int, str]:
        if path != "/latest/api/token" or "x-aws-ec2-metadata-token-ttl-seconds" not in headers:
            return 400, ""
        if not self.metadata_tokens_arrive:
            time.sleep(2)
        return (200, METADATA_TOKEN) if self.metadata_tokens else (404, "")

    def get(self, path: str, headers: dict[str, str]) -> tuple[int, str]:
        if path.startswith(METADATA):
            if self.metadata_tokens and headers.get("x-aws-ec2-metadata-token") != METADATA_TOKEN:
                return 401, ""
            return (200, "app-role") if path == METADATA else self.answer(self.keys())
        if path.startswith(PORTAL):
            self.caller_tokens.append(headers["x-amz-sso_bearer_token"])
            return self.answer(self.portal())
        self.caller_tokens.append(headers.get("authorization", ""))
        return self.answer(self.keys())

    def post(self, body: str, headers: dict[str, str]) -> tuple[int, str]:
        form = parse_qs(body)
        self.caller_tokens += form.get("WebIdentityToken", [])
        key, _, region, *_ = (headers.get("authorization", "").partition("Credential=")[2] or "//").split("/")
        self.assumed.append({name: value for name, (value,) in form.items()} | {"key": key, "region": region})
        if self.refusal is not None:
            self.open.wait(30)
            return 403, REFUSAL.format(*self.refusal)
        return self.answer(self.sts(form["Action"][0]))

    def answer(self, body: str) -> tuple[int, str]:
        self.open.wait(30)
        self.given += 1
        if self.mode == "down":
            return 500, f"sorry: {SECRET_KEY}"
        return 200, body if self.mode == "works" else body[: body.index(SECRET_KEY) + len(SECRET_KEY)]

    def keys(self) -> str:
        answer = {"Code": "Success", "Type": "AWS-HMAC", "Expiration": self.timestamp, "Token": SESSION_TOKEN}
        return json.dumps(answer | {"AccessKeyId": f"ASIADOUBLE{self.serial}", "SecretAccessKey": SECRET_KEY})

    def portal(self) -> str:
        keys = {"accessKeyId": f"ASIADOUBLE{self.serial}", "secretAccessKey": SECRET_KEY, "sessionToken": SESSION_TOKEN}
        return json.dumps({"roleCredentials": keys | {"expiration": int(self.expires.timestamp() * 1000)}})

    def sts(self, action: str) -> str:
        return f"""
            <{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>
              <AssumedRoleUser>
                <AssumedRoleId>AROA:x</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/app/x</Arn>
              </AssumedRoleUser>
              <Credentials>
                <AccessKeyId>ASIADOUBLE{self.serial}</AccessKeyId><SecretAccessKey>{SECRET_KEY}</SecretAccessKey>
                <SessionToken>{SESSION_TOKEN}</SessionToken><Expiration>{self.timestamp}</Expiration>
              </Credentials>
            </{action}Result></{action}Response>
        """


@contextmanager
def serving() -> Iterator[AwsDouble]:
    """Serve it on a port of its own."""
    double = AwsDouble()
    double.open.set()

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            double.requests.append(f"{self.command} {self.path.partition('?')[0]}")
            if self.command == "POST":
                status, answer = double.post(body, headers)
            else:
                status, answer = (double.get if self.command == "GET" else double.put)(self.path, headers)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            with suppress(ConnectionError):  # the client may have left
                self.end_headers()
                self.wfile.write(answer.encode())

        do_GET = do_PUT = do_POST = respond  # noqa: N815 - http.server's own way to name handlers

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield double
    finally:
        double.open.set()
        server.shutdown()
        thread.join(10)
        server.server_close()
