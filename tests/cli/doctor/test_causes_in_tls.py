"""Causes in TLS: the negotiation, the handshake and the server's certificate."""

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import create_server, socket

import pytest

from aws_iam_async.testing import CertificateKind, Emulator, Stage
from tests.cli.doctor.conftest import Doctor


@pytest.mark.parametrize(
    ("kind", "cause", "words"),
    [
        (CertificateKind.UNTRUSTED, "tls-authority", "is not in "),
        (CertificateKind.OTHER_HOST, "tls-name", "other.cluster-c9akciq32.us-east-1.rds.amazonaws.com, not "),
        (CertificateKind.EXPIRED, "tls-expired", "clock"),
        (CertificateKind.NOT_YET_VALID, "tls-not-yet-valid", "clock"),
    ],
)
def test_a_certificate_that_does_not_hold(
    doctor: Doctor, endpoint: Emulator, kind: CertificateKind, cause: str, words: str
) -> None:
    endpoint.faults.certificate = kind
    report = doctor.examine(endpoint)
    assert report.failed == ["tls"]
    assert report.causes("tls") == [cause]
    assert words in report.advice("tls", cause)
    assert "the server presents a certificate for " in report.detail("tls")
    assert (report.status("token"), report.status("login")) == ("passed", "not-reached")
    assert endpoint.logins == []


def test_an_authority_that_is_not_trusted(doctor: Doctor, postgresql: Emulator) -> None:
    report = doctor.check(postgresql.dsn("app", "shop"), "--iam-host", postgresql.host)
    advice = report.advice("tls", "tls-authority")
    assert "Testing CA #" in advice
    assert "The endpoint is in us-east-1, which the authorities of RDS in this package cover" in advice
    assert "--sslrootcert FILE" in advice


def test_a_server_without_tls(doctor: Doctor, endpoint: Emulator) -> None:
    endpoint.faults.offer_tls = False
    report = doctor.examine(endpoint)
    assert report.failed == ["tls"]
    assert report.causes("tls") == ["no-tls"]
    assert "never sent without TLS" in report.advice("tls", "no-tls")
    assert endpoint.logins == []


def test_a_mysql_server_under_a_dsn_for_postgresql(doctor: Doctor, mysql: Emulator) -> None:
    dsn, *options = doctor.arguments(mysql)
    report = doctor.check(dsn.replace("mysql://", "postgresql://"), *options)
    assert report.failed == ["tls"]
    assert "the server speaks MySQL's protocol" in report.detail("tls")
    assert "mysql://" in report.advice("tls", "other-protocol")


def test_a_postgresql_server_under_a_dsn_for_mysql(doctor: Doctor, postgresql: Emulator) -> None:
    dsn, *options = doctor.arguments(postgresql)
    report = doctor.check(dsn.replace("postgresql://", "mysql://"), *options, "--timeout", "0.5")
    assert report.failed == ["tls"]
    assert "sends nothing for 0.5 s" in report.detail("tls")
    assert "postgresql://" in report.advice("tls", "other-protocol")


@contextmanager
def server(talk: Callable[[socket], None]) -> Iterator[int]:
    """Something that listens and is no database."""
    with create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client, contextlib.suppress(ConnectionError):
                    talk(client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(2)
    thread.join(10)


def web_server(client: socket) -> None:
    client.recv(100)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def mail_server(client: socket) -> None:
    client.sendall(b"220 mail.example ESMTP\r\n")
    client.recv(100)


def forwarder_to_nowhere(client: socket) -> None:
    client.recv(0)


def full_server(client: socket) -> None:
    payload = b"\xff\x10\x04Too many connections"
    client.sendall(len(payload).to_bytes(3, "little") + b"\0" + payload)
    client.recv(100)


def refusing_postgresql(client: socket) -> None:
    client.recv(100)
    fields = b"SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0"
    client.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)


def starting_postgresql(client: socket) -> None:
    client.recv(100)
    fields = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0"
    client.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)


def old_postgresql(client: socket) -> None:
    client.recv(100)
    client.sendall(b"Ecould not fork new process for connection: Cannot allocate memory\n\0")


def cache_server(client: socket) -> None:
    client.recv(100)
    client.sendall(b"ERROR\r\n")


def blocking_server(client: socket) -> None:
    payload = b"\xff\x69\x04Host '10.0.3.7' is blocked because of many connection errors"
    client.sendall(len(payload).to_bytes(3, "little") + b"\0" + payload)
    client.recv(100)


@pytest.mark.parametrize(
    ("scheme", "talk", "cause"),
    [
        ("postgresql", refusing_postgresql, "too-many-connections"),
        ("postgresql", starting_postgresql, "not-ready"),
        ("postgresql", old_postgresql, "server-refuses"),
        ("postgresql", cache_server, "other-protocol"),
        ("mysql", blocking_server, "host-refused"),
        ("postgresql", web_server, "other-protocol"),
        ("postgresql", mail_server, "other-protocol"),
        ("postgresql", forwarder_to_nowhere, "tls-handshake"),
        ("mysql", mail_server, "other-protocol"),
        ("mysql", forwarder_to_nowhere, "tls-handshake"),
        ("mysql", full_server, "too-many-connections"),
    ],
)
def test_something_else_behind_the_port(
    doctor: Doctor, postgresql: Emulator, scheme: str, talk: Callable[[socket], None], cause: str
) -> None:
    with server(talk) as port:
        dsn, *options = doctor.arguments(postgresql, "--port", str(port))
        report = doctor.check(dsn.replace("postgresql", scheme), *options)
    assert report.failed == ["tls"]
    assert report.causes("tls") == [cause]


@pytest.mark.parametrize("stage", [Stage.ACCEPTED, Stage.TLS_AGREED])
def test_a_server_that_hangs_up(doctor: Doctor, endpoint: Emulator, stage: Stage) -> None:
    endpoint.faults.cut(stage, times=5)
    # The fault also cuts the tcp step's connection, which makes no difference to that step.
    report = doctor.examine(endpoint)
    assert report.failed == ["tls"]
    assert report.causes("tls") == ["tls-handshake"]


def test_a_server_that_stays_silent(doctor: Doctor, endpoint: Emulator) -> None:
    endpoint.faults.delay(Stage.ACCEPTED, math.inf)
    report = doctor.examine(endpoint, "--timeout", "0.5")
    endpoint.cut_connections()
    assert report.failed == ["tls"]
    assert report.causes("tls") == ["other-protocol"]


def test_what_a_refusing_server_says_is_shown(doctor: Doctor, postgresql: Emulator) -> None:
    with server(refusing_postgresql) as port:
        report = doctor.examine(postgresql, "--port", str(port))
    assert report.detail("tls") == "the server refuses the connection: sorry, too many clients already (53300)"
    with server(old_postgresql) as port:
        report = doctor.examine(postgresql, "--port", str(port))
    assert report.detail("tls").endswith(
        "connection: could not fork new process for connection: Cannot allocate memory"
    )
