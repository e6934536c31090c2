"""A manager that is garbage collected while its timer runs warns that it was not closed."""

import gc
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from aws_iam_async import Credentials, PluginManager, RdsTokenProvider
from tests.login.conftest import Rds

HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"


@pytest.fixture
def load(rds: Rds) -> Callable[[], Awaitable[Credentials]]:
    """Return credentials that expire: others are not renewed by a timer."""
    key = rds.emulator.account.create_access_key(session=True)

    async def load() -> Credentials:
        expires_at = datetime.now(UTC) + timedelta(hours=1)
        return Credentials(key.access_key, key.secret_key, key.session_token, expires_at)

    return load


async def test_a_manager(rds: Rds, load: Callable[[], Awaitable[Credentials]]) -> None:
    manager = PluginManager(refresh="background", credentials=load)
    async with manager.connect(rds.dsn, **rds.options):
        pass
    with pytest.warns(ResourceWarning, match=r"PluginManager.*aclose"):  # noqa: PT031 - either may bring it
        del manager
        gc.collect()


async def test_a_provider(load: Callable[[], Awaitable[Credentials]]) -> None:
    provider = RdsTokenProvider(refresh="background", credentials=load)
    await provider.get_token(host=HOST, port=5432, user="app")
    with pytest.warns(ResourceWarning, match=r"RdsTokenProvider.*aclose"):  # noqa: PT031 - either may bring it
        del provider
        gc.collect()


async def test_one_that_was_closed_or_has_no_timer(rds: Rds, load: Callable[[], Awaitable[Credentials]]) -> None:
    async with (
        PluginManager(refresh="background", credentials=load) as closed,
        closed.connect(rds.dsn, **rds.options),
    ):
        pass
    on_use = PluginManager(credentials=load)
    never_expire = PluginManager(refresh="background")  # the credentials in the environment
    for without_timer in (on_use, never_expire):
        async with without_timer.connect(rds.dsn, **rds.options):
            pass
    del closed, without_timer, on_use, never_expire
    gc.collect()  # warnings are errors
