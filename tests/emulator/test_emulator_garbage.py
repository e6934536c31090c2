import asyncio
import ssl
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aws_iam_async.testing import Emulator, mysql_packets, postgres_messages
from aws_iam_async.testing.postgres_password import PasswordDialog
from aws_iam_async.testing.streams import MalformedMessageError
from tests.emulator.conftest import Front, trust

GREETING = mysql_packets.Greeting(
    version=b"5.5.5-10.11.19-MariaDB",
    thread_id=4_000_000_000,
    salt=b"abcdefghijklmnopqrst",
    capabilities=0x81BFF7FE,
    charset=45,
    status=2,
    reserved=bytes(range(10)),
    method="mysql_native_password",
)
ALL_FLAGS = 0xFFFFFFFF


def _response(capabilities: int) -> bytes:
    head = struct.pack("<IIB23s", capabilities, 1 << 24, 45, b"")
    body = b"app\0" + b"\x14" + b"s" * 20 + (b"shop\0" if capabilities & 8 else b"") + b"mysql_native_password\0"
    return head + body + b"\x09\x03_os\x04java"


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_readers_of_packets(payload: bytes) -> None:
    for read in (
        mysql_packets.read_greeting,
        mysql_packets.read_response,
        mysql_packets.read_auth_switch,
        mysql_packets.is_ssl_request,
        postgres_messages.read_startup,
        PasswordDialog("secret").answer,
    ):
        try:
            read(payload if read is not postgres_messages.read_startup else (payload + bytes(8))[: len(payload) + 8])
        except MalformedMessageError:
            continue


@settings(deadline=None)
@given(st.binary(max_size=60), st.sampled_from([ALL_FLAGS, ALL_FLAGS & ~8, ALL_FLAGS & ~(1 << 21)]), st.data())
def test_no_change_of_a_response_breaks_its_reader(noise: bytes, capabilities: int, data: st.DataObject) -> None:
    packet = _response(capabilities)
    at = data.draw(st.integers(32, len(packet)))
    changed = packet[:at] + noise + packet[data.draw(st.integers(at, len(packet))) :]
    try:
        response = mysql_packets.read_response(changed)
    except MalformedMessageError:
        return
    assert response.capabilities == capabilities


@pytest.mark.parametrize("capabilities", [ALL_FLAGS, ALL_FLAGS & ~8, ALL_FLAGS & ~(1 << 21)])
def test_a_response_for_the_server_says_what_the_client_said_but_for_tls(capabilities: int) -> None:
    packet = _response(capabilities)
    response = mysql_packets.read_response(packet)
    assert (response.user, response.method) == ("app", "mysql_native_password")
    assert response.database == ("shop" if capabilities & 8 else None)
    written = mysql_packets.write_response(response)
    assert written[4:] == packet[4:]
    assert int.from_bytes(written[:4], "little") == capabilities & ~mysql_packets.CLIENT_SSL


def test_a_greeting_reads_back_as_it_was_written() -> None:
    assert mysql_packets.read_greeting(mysql_packets.write_greeting(GREETING)) == GREETING


def test_a_startup_message_has_its_user_for_a_database() -> None:
    packet = struct.pack("!II", 0, 3 << 16) + b"user\0app\0client_encoding\0utf-8\0\0"
    assert postgres_messages.read_startup(packet) == postgres_messages.Startup(packet, "app", "app")


@settings(deadline=None)
@given(length=st.integers(0, 2**32 - 1))
def test_no_length_makes_a_front_wait_for_gigabytes(length: int) -> None:
    try:
        assert postgres_messages.first_packet_size(length) <= 10_000
    except MalformedMessageError:
        assert not 8 <= length <= 10_000
    header = struct.pack("<I", length % 2**24)
    try:
        assert mysql_packets.read_header(header)[0] <= mysql_packets.MAX_LOGIN_PACKET
    except MalformedMessageError:
        assert not 0 < length % 2**24 <= mysql_packets.MAX_LOGIN_PACKET


async def _exchange(emulator: Emulator, payload: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """Send bytes and an end of stream to a front end. Return its whole answer."""
    reader, writer = await asyncio.open_connection(emulator.dial_host, emulator.port)
    try:
        if tls is not None:
            writer.write(b"\0\0\0\x08\x04\xd2\x16\x2f")
            assert await reader.readexactly(1) == b"S"
            await writer.start_tls(tls, server_hostname=emulator.host)
        writer.write(payload)
        if tls is None:
            writer.write_eof()
        else:
            writer.write(b"\0" * 100_000)
        async with asyncio.timeout(10):
            return await reader.read()
    except OSError:  # the front end aborted the connection
        return b""
    finally:
        writer.transport.abort()


SLOW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@SLOW
@given(payload=st.binary(max_size=200))
async def test_whatever_a_client_says_the_connection_ends_and_nobody_is_in(front: Front, payload: bytes) -> None:
    await _exchange(front.emulator, payload)
    assert front.emulator.logins == []
    await asyncio.to_thread(front.emulator.wait_for_connections, 0)


@SLOW
@given(payload=st.binary(min_size=1, max_size=200))
async def test_whatever_a_client_says_within_tls_the_connection_ends(rds_postgres: Emulator, payload: bytes) -> None:
    await _exchange(rds_postgres, payload, trust(rds_postgres))
    assert not any(login.accepted for login in rds_postgres.logins)
    await asyncio.to_thread(rds_postgres.wait_for_connections, 0)


async def test_bytes_slipped_in_before_tls_break_the_handshake(rds_postgres: Emulator) -> None:
    startup = struct.pack("!II", 0, 3 << 16) + b"user\0app\0\0"
    packet = struct.pack("!I", len(startup)) + startup[4:]
    answer = await _exchange(rds_postgres, b"\0\0\0\x08\x04\xd2\x16\x2f" + packet)
    assert answer[:1] == b"S"
    assert b"PAM" not in answer
    assert b"no encryption" not in answer
    assert rds_postgres.logins == []


async def test_a_gss_request_is_declined_and_tls_may_follow(rds_postgres: Emulator) -> None:
    reader, writer = await asyncio.open_connection(rds_postgres.dial_host, rds_postgres.port)
    writer.write(b"\0\0\0\x08\x04\xd2\x16\x30")
    assert await reader.readexactly(1) == b"N"
    writer.write(b"\0\0\0\x08\x04\xd2\x16\x2f")
    assert await reader.readexactly(1) == b"S"
    writer.transport.abort()
