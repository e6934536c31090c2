"""A local STS that answers GetCallerIdentity and AssumeRole: with an identity, an error, or a clock of its own."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from aws_iam_async.testing import AccessKey

ACCOUNT = "123456789012"
ROLE = f"arn:aws:sts::{ACCOUNT}:assumed-role/app-role/i-0123"

IDENTITY = """
<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
  <Arn>{arn}</Arn><UserId>AROA:x</UserId><Account>{account}</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>
"""
ASSUMED = """
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
  <AccessKeyId>{key.access_key}</AccessKeyId><SecretAccessKey>{key.secret_key}</SecretAccessKey>
  <SessionToken>{key.session_token}</SessionToken><Expiration>{expires:%Y-%m-%dT%H:%M:%SZ}</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>
"""
ERROR = """
<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>
  <Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>
</Error></ErrorResponse>
"""


@dataclass
class Sts:
    """What it answers; tests change it at any time.

    Attributes:
        arn: The ARN of the identity that the credentials belong to.
        error: The code to refuse them with, if any.
        body: What to answer instead of all that, if anything.
        ahead: Seconds by which its clock is ahead of this machine's.
        role_key: What it gives out for a role.
        refused_role: The code and the message to refuse a role with, if any.
        asked: The access key ids that it was asked about.
        forms: What it was asked, in the same order.
    """

    url: str = ""
    arn: str = ROLE
    error: str | None = None
    body: str | None = None
    ahead: float = 0.0
    role_key: AccessKey | None = None
    refused_role: tuple[str, str] | None = None
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)

    def answer(self, action: str) -> tuple[int, str]:
        if action == "AssumeRole" and self.refused_role is not None:
            return 403, ERROR.format(code=self.refused_role[0], message=self.refused_role[1])
        if action == "AssumeRole":
            return 200, ASSUMED.format(key=self.role_key, expires=datetime.now(UTC) + timedelta(hours=1))
        if self.body is not None:
            return 200, self.body
        if self.error is not None:
            return 403, ERROR.format(code=self.error, message="so it is")
        return 200, IDENTITY.format(arn=self.arn, account=ACCOUNT)


@contextmanager
def serving() -> Iterator[Sts]:
    """Serve it on a port of its own."""
    sts = Sts()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
            sts.asked.append(self.headers["Authorization"].partition("Credential=")[2].partition("/")[0])
            sts.forms.append({name: value for name, (value,) in form.items()})
            status, body = sts.answer(form["Action"][0])
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(int((timestamp or time.time()) + sts.ahead))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sts.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield sts
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
