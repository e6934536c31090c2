"""The credentials endpoint fails while a pool reconnects: what is known is used to its end, then an error says so."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from aws_iam_async import PluginManager, refresh_ahead
from aws_iam_async.testing import AccessKey
from tests.credentials.conftest import Answer, AwsHome, Endpoint
from tests.faults.container import answer, serve
from tests.faults.leaks import Leaks
from tests.faults.load import LONG_PAUSE, Load, loaded
from tests.faults.site import Site

# HTTP is spoken in a thread with a loop of its own.
pytestmark = [pytest.mark.long, pytest.mark.asyncio(loop_factories=["asyncio"])]
LIFE = 6  # seconds, of credentials; a busy machine needs half of them to fill a pool
SDK_GIVES_UP = 10  # seconds, at most; 4 with botocore 1.43


@pytest.fixture
def key(place: Site, aws_home: AwsHome, endpoint: Endpoint) -> AccessKey:
    return serve(place, aws_home, endpoint)


@pytest.fixture
async def served(key: AccessKey, place: Site, endpoint: Endpoint) -> AsyncIterator[Endpoint]:
    async with PluginManager() as warm, place.connect(warm):
        pass  # the SDK is imported, which may take longer than the credentials will live
    endpoint.answer = answer(key, life=LIFE)
    yield endpoint
    endpoint.release()


@pytest.fixture
async def load(served: Endpoint, place: Site, manager: PluginManager, leaks: Leaks) -> AsyncIterator[Load]:
    """Under way, with credentials that end soon."""
    async with loaded(place, manager, pause=LONG_PAUSE) as load:
        await load.progress(20)
        yield load
        served.release()
        served.answer = answer(place.emulator.account.create_access_key(session=True))
        await load.at_full_size()
        await load.progress(50)
    await leaks.none()


async def reconnect_for(place: Site, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        place.emulator.cut_connections()
        await asyncio.sleep(0.2)


async def reconnect_until_it_fails(place: Site, load: Load) -> None:
    """For want of credentials."""
    async with asyncio.timeout(LIFE + SDK_GIVES_UP):
        while load.errors["CredentialsError"] == 0:
            place.emulator.cut_connections()
            await asyncio.sleep(0.2)


@pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])
async def test_down(place: Site, served: Endpoint, load: Load) -> None:
    served.answer = Answer("", status=500)
    await reconnect_until_it_fails(place, load)


async def test_slow(place: Site, served: Endpoint, load: Load) -> None:
    served.hold()
    await reconnect_for(place, LIFE + 1)
    assert load.stuck == 0


async def test_lying(place: Site, served: Endpoint, load: Load, key: AccessKey) -> None:
    for lie in (answer(key, life=-1), Answer("{}"), Answer("<html>")):
        served.answer = lie
        await reconnect_for(place, 0.5)
    await reconnect_until_it_fails(place, load)


async def test_of_a_revoked_key(
    place: Site, served: Endpoint, load: Load, key: AccessKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool would be back after this interval, which is 10 s in earnest."""
    monkeypatch.setattr(refresh_ahead, "REREAD_INTERVAL", 1.0)
    served.answer = answer(key)
    place.emulator.account.revoke(key.access_key)
    await reconnect_for(place, 1)
    assert load.errors.total() > 0
