import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from blockbuster import blockbuster_ctx

from aws_iam_async.testing import Account, CertificateKind, Emulator, Upstream
from tests.emulator.conftest import Front

UPSTREAM = Upstream("postgresql", port=1)


def test_nothing_is_left_of_an_emulator() -> None:
    before = set(threading.enumerate())
    with Emulator(UPSTREAM) as emulator:
        ca_file, address = emulator.ca_file, (emulator.dial_host, emulator.port)
        client = socket.create_connection(address, timeout=10)
        emulator.wait_for_connections(1)
        assert ca_file.read_text().startswith("-----BEGIN CERTIFICATE-----")
    with client:
        assert client.recv(1) == b""
    assert not ca_file.parent.exists()
    assert set(threading.enumerate()) == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=10)


def test_it_listens_on_loopback_only() -> None:
    with Emulator(UPSTREAM) as emulator:
        assert emulator.dial_host == "127.0.0.1"
        with pytest.raises(ConnectionRefusedError):
            # On Linux every address in 127.0.0.0/8 is local, so a server on all interfaces would accept this.
            socket.create_connection(("127.0.0.2", emulator.port), timeout=10)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com", "us-east-1"),
        ("Shop.c9akciq32.EU-Central-1.rds.amazonaws.com", "eu-central-1"),
        ("shop-eu-west-1.c9akciq32.us-gov-east-1.rds.amazonaws.com", "us-gov-east-1"),
        ("shop.c9akciq32.rds.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("proxy.proxy-c9akciq32.ap-southeast-2.rds.amazonaws.com", "ap-southeast-2"),
    ],
)
def test_the_region_is_read_from_the_host(host: str, region: str) -> None:
    emulator = Emulator(UPSTREAM, host=host)
    assert (emulator.region, emulator.host) == (region, host.lower())


def test_a_host_without_a_region_needs_one() -> None:
    with pytest.raises(ValueError, match=r"host 'db\.example\.com' contains no AWS region; pass region="):
        Emulator(UPSTREAM, host="db.example.com")
    assert Emulator(UPSTREAM, host="db.example.com", region="eu-west-1").region == "eu-west-1"


def test_several_emulators_may_share_an_account_and_a_server_and_have_ports_of_their_own() -> None:
    account = Account()
    with Emulator(UPSTREAM, account=account) as one, Emulator(UPSTREAM, account=account) as other:
        assert one.port != other.port
        assert one.account is other.account
    with Emulator(UPSTREAM, port=one.port) as again:
        assert again.port == one.port


@pytest.mark.parametrize("port", ["postgresql", -1, 65536, 5432.0])
@pytest.mark.parametrize("option", ["port", "signed_port"])
def test_what_is_no_port_is_refused(option: str, port: Any) -> None:
    with pytest.raises(ValueError, match=f"^{option} must be a whole number"):
        Emulator(UPSTREAM, **{option: port})


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing() -> None:
    before = threading.active_count()
    with Emulator(UPSTREAM) as emulator, pytest.raises(OSError, match="in use"), Emulator(UPSTREAM, port=emulator.port):
        pass
    assert threading.active_count() == before


def test_a_driver_is_told_where_to_dial() -> None:
    with Emulator(Upstream("mysql")) as emulator:
        assert emulator.dsn("app") == f"mysql://app@127.0.0.1:{emulator.port}"
        assert emulator.dsn("a@b", "my/db") == f"mysql://a%40b@127.0.0.1:{emulator.port}/my%2Fdb"


def test_waiting_for_connections_that_do_not_come_ends() -> None:
    with Emulator(UPSTREAM) as emulator, pytest.raises(TimeoutError, match=r"0 connections instead of 1 after 0\.01 s"):
        emulator.wait_for_connections(1, timeout=0.01)


def test_one_emulator_serves_loop_after_loop(rds_postgres: Emulator) -> None:
    for _ in range(2):
        assert asyncio.run(_hello(rds_postgres)) == b"N"


def test_one_emulator_serves_many_threads(rds_postgres: Emulator) -> None:
    answers: list[bytes] = []
    threads = [threading.Thread(target=lambda: answers.append(asyncio.run(_hello(rds_postgres)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == [b"N"] * 8


async def _hello(emulator: Emulator) -> bytes:
    reader, writer = await asyncio.open_connection(emulator.dial_host, emulator.port)
    writer.write(b"\0\0\0\x08\x04\xd2\x16\x30")
    answer = await reader.readexactly(1)
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.fixture
def own_emulator(front: Front) -> Iterator[Emulator]:
    """An emulator of this test only. It raises an unexpected error where its block ends."""
    with Emulator(front.emulator.upstream) as emulator:
        yield emulator


async def test_nothing_blocks_the_emulators_loop(front: Front, own_emulator: Emulator) -> None:
    front.emulator, front.key = own_emulator, own_emulator.account.create_access_key()
    token = front.token()
    with blockbuster_ctx("aws_iam_async"):
        session = await front.connect(token)
        assert await session.query("SELECT 1") == [(1,)]
        await session.close()
        with pytest.raises(front.refusal):
            await front.connect("wrong")
        for kind in CertificateKind:
            front.emulator.faults.certificate = kind
            front.emulator.faults.offer_tls = False
            with pytest.raises(Exception, match=r"TLS|SSL|Access denied|no encryption"):
                await front.connect("wrong")
    await asyncio.to_thread(front.emulator.wait_for_connections, 0)


STARTUP_MESSAGE = struct.pack("!II", 18, 3 << 16) + b"user\0app\0\0"


def test_an_unexpected_error_in_the_emulator_is_raised_at_its_end() -> None:
    def broken_clock() -> float:
        raise ZeroDivisionError

    emulator = Emulator(UPSTREAM).__enter__()
    emulator.clock = broken_clock
    with socket.create_connection((emulator.dial_host, emulator.port), timeout=10) as client:
        client.sendall(STARTUP_MESSAGE)
        assert client.recv(1) == b""
    with pytest.raises(RuntimeError, match="unexpected error in the emulator") as failure:
        emulator.__exit__(None, None, None)
    assert isinstance(failure.value.__cause__, ZeroDivisionError)
