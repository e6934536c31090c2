"""aiomysql connects to one host: the second one of several is not dropped without a word."""

from typing import Any

import pytest

from aws_iam_async import ConfigurationError, PluginManager


@pytest.mark.parametrize("way", ["connect", "create_pool"])
@pytest.mark.parametrize("plugins", ["iam", ""])
async def test_several_hosts_are_refused(way: str, plugins: str) -> None:
    async with PluginManager(plugins) as manager:
        opening: Any = getattr(manager, way)
        with pytest.raises(ConfigurationError, match="aiomysql connects to one host"):
            await opening(
                "mysql://app@one.c9akciq32.us-east-1.rds.amazonaws.com,two.c9akciq32.us-east-1.rds.amazonaws.com"
            )
        assert manager.statistics().generations == 0
