"""A local STS that answers GetCallerIdentity: with an identity, an error, or a clock of its own."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ACCOUNT = "123456789012"
ROLE = f"arn:aws:sts::{ACCOUNT}:assumed-role/app-role/i-0123"

IDENTITY = """
<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
  <Arn>{arn}</Arn><UserId>AROA:x</UserId><Account>{account}</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>
"""
ERROR = """
<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>
  <Type>Sender</Type><Code>{code}</Code><Message>so it is</Message>
</Error></ErrorResponse>
"""


@dataclass
class Sts:
    """What it answers; tests change it at any time.

    Attributes:
        arn: Whose credentials they are.
        error: The code to refuse them with, if any.
        body: What to answer instead of all that, if anything.
        ahead: Seconds by which its clock is ahead of this machine's.
        asked: The access key ids that it was asked about.
    """

    url: str = ""
    arn: str = ROLE
    error: str | None = None
    body: str | None = None
    ahead: float = 0.0
    asked: list[str] = field(default_factory=list)

    def answer(self) -> tuple[int, str]:
        if self.body is not None:
            return 200, self.body
        if self.error is not None:
            return 403, ERROR.format(code=self.error)
        return 200, IDENTITY.format(arn=self.arn, account=ACCOUNT)


@contextmanager
def serving() -> Iterator[Sts]:
    """Serve it on a port of its own."""
    sts = Sts()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sts.asked.append(self.headers["Authorization"].partition("Credential=")[2].partition("/")[0])
            status, body = sts.answer()
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
