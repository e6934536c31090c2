"""Causes between here and the server's port."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from aws_iam_async.testing import Emulator
from tests.cli.doctor.conftest import Doctor

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
