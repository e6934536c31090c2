"""Causes between here and the server's port."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from aws_iam_async.testing import Emulator
from tests.cli.conftest import Program, program
from tests.cli.doctor.conftest import Doctor

__all__ = ["program"]

HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"


def test_a_name_that_the_resolver_does_not_know(
    doctor: Doctor, postgresql: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def getaddrinfo(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    report = doctor.check(postgresql.dsn("app", "shop").replace("127.0.0.1", HOST))
    assert report.failed == ["dns"]
    assert "Name or service not known" in report.detail("dns")
    assert "describe-db-clusters --db-cluster-identifier shop" in report.advice("dns", "dns")
    assert {report.status(step) for step in ("tcp", "tls", "login", "query")} == {"not-reached"}


@pytest.fixture
def closed_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_closed_port(doctor: Doctor, postgresql: Emulator, closed_port: int) -> None:
    report = doctor.examine(postgresql, "--port", str(closed_port))
    assert report.failed == ["tcp"]
    assert "refuses the connection" in report.detail("tcp")
    assert "Check that the tunnel, proxy or server is running" in report.advice("tcp", "port-refused")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port with a full queue: Linux drops further packets, as a security group does."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listener.getsockname()
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0)
            filler.connect_ex(address)
        yield address[1]


def test_a_port_that_does_not_answer(doctor: Doctor, postgresql: Emulator, silent_port: int) -> None:
    report = doctor.examine(postgresql, "--port", str(silent_port), "--timeout", "0.2")
    assert report.failed == ["tcp"]
    assert "does not answer within 0.2 s" in report.detail("tcp")
    assert "security group" in report.advice("tcp", "port-timeout")


def test_a_resolver_that_does_not_answer_delays_neither_the_step_nor_the_end(program: Program) -> None:
    start = time.monotonic()
    done = program.run(
        *("check", "postgresql://app@db.example.com/shop?iam_host=auto", "--timeout", "1", "--json", "--no-sts"),
        preparation="import socket, time; socket.getaddrinfo = lambda *_, **__: time.sleep(60)",
        environment={"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"},
    )
    assert time.monotonic() - start < 30
    (step,) = (step for step in json.loads(done.stdout)["steps"] if step["name"] == "endpoint")
    assert step["detail"] == "db.example.com: no answer within 1 s"
    assert [advice["cause"] for advice in step["advice"]] == ["dns"]


@pytest.fixture
def silent_addresses(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port that twenty addresses of a name listen on and do not answer at."""
    with ExitStack() as stack:
        addresses = [f"127.0.0.{number}" for number in range(1, 21)]
        port = 0
        for address in addresses:
            listener = stack.enter_context(socket.create_server((address, port), backlog=0))
            port = listener.getsockname()[1]
            for _ in range(8):
                filler = stack.enter_context(socket.socket())
                filler.settimeout(0)
                filler.connect_ex((address, port))

        def getaddrinfo(*_: object, **__: object) -> list[object]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield port


def test_the_addresses_of_a_name_share_the_time(doctor: Doctor, postgresql: Emulator, silent_addresses: int) -> None:
    dsn = postgresql.dsn("app", "shop").replace("127.0.0.1", HOST)
    start = time.monotonic()
    report = doctor.check(dsn, "--port", str(silent_addresses), "--timeout", "2")
    assert time.monotonic() - start < 20
    assert report.failed == ["tcp"]
    assert "127.0.0.20" in report.detail("tcp")
    assert len(report.causes("tcp")) == 3
