"""An AWS setup that is empty but for what a test puts there, and endpoints that hand out credentials."""

import asyncio
import contextlib
import json
import os
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SECRET_KEY = "SECRET-KEY-MARK"
SESSION_TOKEN = "SESSION-TOKEN-MARK"
FAR = "2099-01-01T00:00:00Z"


@dataclass
class AwsHome:
    """The shared AWS files and environment variables of one test."""

    config: Path
    credentials: Path
    environ: pytest.MonkeyPatch

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self.environ.setenv(name, value)


@pytest.fixture
def aws_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AwsHome:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    home = AwsHome(tmp_path / "config", tmp_path / "credentials", monkeypatch)
    home.set(
        AWS_CONFIG_FILE=str(home.config),
        AWS_SHARED_CREDENTIALS_FILE=str(home.credentials),
        AWS_EC2_METADATA_DISABLED="true",
    )
    return home


@dataclass
class Answer:
    """One HTTP answer."""

    body: str
    status: int = 200


def keys(number: int = 1, *, expires: str = FAR) -> str:
    """What a container's credentials endpoint answers."""
    return json.dumps(
        {
            "AccessKeyId": f"ASIAEXAMPLE{number}",
            "SecretAccessKey": SECRET_KEY,
            "Token": SESSION_TOKEN,
            "Expiration": expires,
        }
    )


def assumed_role(number: int = 1, *, expires: str = FAR) -> str:
    """What STS answers."""
    return f"""
        <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
          <AssumedRoleUser>
            <AssumedRoleId>AROA:x</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/reader/x</Arn>
          </AssumedRoleUser>
          <Credentials>
            <AccessKeyId>ASIAROLE{number}</AccessKeyId><SecretAccessKey>{SECRET_KEY}</SecretAccessKey>
            <SessionToken>{SESSION_TOKEN}</SessionToken><Expiration>{expires}</Expiration>
          </Credentials>
        </AssumeRoleResult></AssumeRoleResponse>
    """


@dataclass
class Endpoint:
    """An HTTP server that gives the same answer to everyone, and counts."""

    url: str = ""
    answer: Answer = field(default_factory=lambda: Answer(keys()))
    requests: int = 0
    authorization: list[str | None] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)

    def hold(self) -> None:
        """Hold back all answers until ``release()``."""
        self.open.clear()

    def release(self) -> None:
        self.open.set()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    served = Endpoint()
    served.release()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            served.requests += 1
            served.authorization.append(self.headers.get("Authorization"))
            served.open.wait(30)
            body = served.answer.body.encode()
            self.send_response(served.answer.status)
            self.send_header("Content-Length", str(len(body)))
            with contextlib.suppress(ConnectionError):  # the client may have left
                self.end_headers()
                self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - http.server's own way to name handlers

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield served
    served.release()
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def container(aws_home: AwsHome, endpoint: Endpoint) -> Endpoint:
    """Container credentials, as ECS and EKS give them."""
    aws_home.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{endpoint.url}/creds")
    return endpoint


async def come_to_rest() -> None:
    """Wait until everything that runs in the background has ended."""
    async with asyncio.timeout(30):
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)


def told(error: BaseException) -> str:
    """What an error reporter tells that follows causes and shows the package's frames with their local variables."""
    found: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        report = traceback.TracebackException.from_exception(seen, capture_locals=True)
        found += [f"{frame}{frame.locals}" for frame in report.stack if "/aws_iam_async/" in frame.filename]
        found += [str(seen), repr(seen.args), repr(vars(seen)), repr(getattr(seen, "doc", None))]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(found)


@pytest.fixture
def no_secret_in(caplog: pytest.LogCaptureFixture) -> Callable[..., None]:
    """Assert that no secret is in what was logged, at any level of any logger, nor in the texts given."""
    caplog.set_level(1)

    def check(*texts: str) -> None:
        for text in (caplog.text, *texts):
            for secret in (SECRET_KEY, SESSION_TOKEN, "X-Amz-Signature"):
                assert secret not in text

    return check
