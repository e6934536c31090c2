"""A secret of another account is read with an assumed role, by the same options as for plugin ``iam``."""

import asyncio
import re

import pytest

from aws_iam_async import ConfigurationError, PluginManager
from tests.credentials.conftest import AwsHome
from tests.secrets_manager.conftest import Database

ROLE = "arn:aws:iam::123456789012:role/secrets"


async def test_the_role_reads_it(database: Database, aws_home: AwsHome, caplog: pytest.LogCaptureFixture) -> None:
    await asyncio.to_thread(database.rotate, "app", "battery staple r")
    aws_home.set(AWS_ENDPOINT_URL_STS=database.store.url)
    manager = PluginManager("secrets_manager", role_arn=ROLE, external_id="shop-42")
    async with manager, manager.connect(**database.options) as connection:
        assert await database.user(connection) == "app"
    assert manager.statistics().credentials_loads == 2  # the key in the environment, and the role
    assert database.store.reads == 1
    assert "battery staple" not in caplog.text


async def test_its_options_are_checked_before_any_traffic(database: Database, manager: PluginManager) -> None:
    with pytest.raises(ConfigurationError, match=re.escape("external_id needs role_arn")):
        await manager.connect(**database.options, external_id="shop-42")
    with pytest.raises(ConfigurationError, match=r"role_arn must be the ARN"):
        await manager.connect(**database.options, role_arn="secrets")
    assert database.store.reads == 0
