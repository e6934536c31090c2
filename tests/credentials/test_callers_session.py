"""A caller's own session: asked once for everyone, and what its owner did with it holds."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
from aiobotocore.credentials import AioCredentials
from aiobotocore.session import AioSession
from blockbuster import BlockBuster
from botocore.credentials import ReadOnlyCredentials

from aws_iam_async import Credentials, CredentialsError
from aws_iam_async.credentials.credentials import Snapshot
from aws_iam_async.credentials.source import credentials_source as identity
from aws_iam_async.tokens.service import TokenService
from tests.credentials.chain_sources import ChainSource, double, source
from tests.credentials.conftest import SECRET_KEY, Answer, AwsHome, Endpoint, told
from tests.tokens.keys import make_key

__all__ = ["double", "source"]


async def read(session: object) -> Snapshot:
    return await TokenService().credentials(identity(credentials=session))


@pytest.fixture(autouse=True)
def _it_may_block(blockbuster: BlockBuster) -> Iterator[None]:
    """What a caller's session does on the caller's loop is the caller's."""
    blockbuster.deactivate()
    yield
    blockbuster.activate()


async def test_every_source_is_read_once_for_everyone(source: ChainSource, no_secret_in: Callable[..., None]) -> None:
    session = AioSession(profile=source.profile)
    service = TokenService()
    snapshots = await asyncio.gather(*(service.credentials(identity(credentials=session)) for _ in range(20)))
    assert {(snapshot.credentials.access_key, snapshot.method) for snapshot in snapshots} == {
        ("ASIADOUBLE1", source.method)
    }
    assert snapshots[0].credentials.expires_at == source.double.expires
    assert source.double.given == 1
    no_secret_in()


async def test_its_credentials_are_asked_again_after_a_rejected_login() -> None:
    class Rotating:
        """Credentials that have new keys each time they are asked."""

        asked = 0

        async def get_frozen_credentials(self) -> ReadOnlyCredentials:
            self.asked += 1
            return ReadOnlyCredentials(f"AKIA{self.asked}", SECRET_KEY, None)

    class Session:
        """Returns the same object each time, as aiobotocore does."""

        credentials = Rotating()

        async def get_credentials(self) -> Rotating:
            return self.credentials

    service = TokenService()
    key = make_key(load=Session())
    tokens = [(await service.get(key))[0] for _ in range(2)]
    assert [token.access_key_id for token in tokens] == ["AKIA1", "AKIA1"]
    service.reject(key, tokens[-1])
    token, fresh = await service.get(key)
    assert (token.access_key_id, fresh) == ("AKIA2", True)


async def test_what_its_owner_has_loaded_is_shared(container: Endpoint) -> None:
    session = AioSession()
    loaded = await session.get_credentials()
    snapshot = await read(session)
    assert snapshot.credentials.access_key == (await loaded.get_frozen_credentials()).access_key == "ASIAEXAMPLE1"
    assert snapshot.expires is not None
    assert container.requests == 1


async def test_its_owner_may_use_it_meanwhile(container: Endpoint) -> None:
    session = AioSession()
    container.hold()
    reading = asyncio.create_task(read(session))
    deadline = time.monotonic() + 20
    while not container.requests and time.monotonic() < deadline:  # noqa: ASYNC110 - it counts in another thread
        await asyncio.sleep(0.01)
    owners = asyncio.create_task(session.get_credentials())
    await asyncio.sleep(0.05)
    container.release()
    frozen = await (await owners).get_frozen_credentials()
    assert frozen.access_key == (await reading).credentials.access_key
    assert container.requests <= 2


@pytest.mark.usefixtures("aws_home")
async def test_a_provider_of_its_owner_is_asked_on_the_owners_loop() -> None:
    loops = []

    class Vault:
        METHOD = CANONICAL_NAME = "vault"

        async def load(self) -> AioCredentials:
            loops.append(asyncio.get_running_loop())
            return AioCredentials("AKIAVAULT", SECRET_KEY, method="vault")

    session = AioSession()
    session.get_component("credential_provider").insert_before("env", Vault())
    snapshot = await read(session)
    assert (snapshot.credentials.access_key, snapshot.method) == ("AKIAVAULT", "vault")
    assert loops == [asyncio.get_running_loop()]


@pytest.mark.usefixtures("container")
async def test_a_session_of_its_owners_own_class_is_asked_itself() -> None:
    class Own(AioSession):  # type: ignore[misc]  # untyped
        async def get_credentials(self) -> AioCredentials:
            return AioCredentials("AKIAOWN", SECRET_KEY)

    assert (await read(Own())).credentials.access_key == "AKIAOWN"


async def test_keys_that_were_set_win_over_the_chain(container: Endpoint) -> None:
    session = AioSession()
    session.set_credentials("AKIASET", SECRET_KEY)
    assert (await read(session)).credentials == Credentials("AKIASET", SECRET_KEY)
    assert container.requests == 0


async def test_a_session_of_the_kind_that_aioboto3_has(container: Endpoint) -> None:
    """A stub of aioboto3's session. aioboto3 15.5 needs aiobotocore 2.25, and the tests use a newer version."""

    class Session:
        def __init__(self) -> None:
            self._session = AioSession()

        def get_credentials(self) -> Awaitable[object]:
            credentials: Awaitable[object] = self._session.get_credentials()
            return credentials

    Session.__module__ = "aioboto3.session"
    session = Session()
    snapshot = await read(session)
    assert (snapshot.credentials.access_key, snapshot.method) == ("ASIAEXAMPLE1", "container-role")
    assert container.requests == 1


async def test_its_endpoint_fails(aws_home: AwsHome, container: Endpoint, no_secret_in: Callable[..., None]) -> None:
    aws_home.environ.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    container.answer = Answer(SECRET_KEY, 500)
    with pytest.raises(CredentialsError, match="AioSession passed as credentials=") as raised:
        await read(AioSession())
    no_secret_in(told(raised.value))


@pytest.mark.usefixtures("aws_home")
async def test_it_finds_none() -> None:
    with pytest.raises(CredentialsError, match="AioSession passed as credentials= finds no credentials"):
        await read(AioSession())
