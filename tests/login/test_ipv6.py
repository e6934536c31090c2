"""An endpoint that is reached over IPv6, by an address that may have a zone."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import uvloop

import aws_iam_async
from aws_iam_async.testing import Emulator
from tests.login.conftest import Rds


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(not _has_ipv6(), reason="this machine's loopback has no IPv6 address, ::1")


@pytest.fixture
def over_ipv6(rds: Rds) -> Iterator[Rds]:
    """The same database behind another emulator."""
    with Emulator(rds.emulator.upstream, dial_host="::1", account=rds.emulator.account) as emulator:
        yield Rds(rds.driver, emulator)
        emulator.wait_for_connections(0)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("way", ["dsn", "host", "zone", "zone in the DSN"])
def test_login(over_ipv6: Rds, loop_factory: Any, way: str) -> None:
    ways: dict[str, tuple[str, dict[str, Any]]] = {
        "dsn": (over_ipv6.dsn, {}),
        "host": (over_ipv6.dsn.replace("[::1]", "other.example"), {"host": "::1"}),
        # The C library takes a name for the zone with link-local addresses only.
        "zone": (over_ipv6.dsn, {"host": "::1%1"}),
        "zone in the DSN": (over_ipv6.dsn.replace("::1", "::1%251"), {}),
    }
    dsn, options = ways[way]

    async def connect() -> None:
        async with aws_iam_async.connect(dsn, **over_ipv6.options, **options) as connection:
            assert await over_ipv6.value(connection, "SELECT 1") == 1

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(connect())
    assert [login.accepted for login in over_ipv6.emulator.logins] == [True]
