"""A manager that is thrown away while its timers run says so."""

import gc

import pytest

from aws_iam_async import PluginManager, RdsTokenProvider
from tests.login.conftest import Rds

HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"


async def test_a_manager(rds: Rds) -> None:
    manager = PluginManager(refresh="background")
    async with manager.connect(rds.dsn, **rds.options):
        pass
    with pytest.warns(ResourceWarning, match=r"PluginManager.*aclose"):  # noqa: PT031 - either may bring it
        del manager
        gc.collect()


@pytest.mark.usefixtures("rds")
async def test_a_provider() -> None:
    provider = RdsTokenProvider(refresh="background")
    await provider.get_token(host=HOST, port=5432, user="app")
    with pytest.warns(ResourceWarning, match=r"RdsTokenProvider.*aclose"):  # noqa: PT031 - either may bring it
        del provider
        gc.collect()


async def test_one_that_was_closed_or_has_no_timers(rds: Rds) -> None:
    async with PluginManager(refresh="background") as closed, closed.connect(rds.dsn, **rds.options):
        pass
    without_timers = PluginManager()
    async with without_timers.connect(rds.dsn, **rds.options):
        pass
    del closed, without_timers
    gc.collect()  # warnings are errors
