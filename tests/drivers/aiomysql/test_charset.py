"""A character set that MySQL does not have is refused by name, before anything is dialled or signed."""

from typing import Any

import pytest

import aws_iam_async
from aws_iam_async import ConfigurationError, PluginManager

NOWHERE: dict[str, Any] = {"driver": "aiomysql", "host": "shop.c9akciq32.us-east-1.rds.amazonaws.com", "user": "app"}


@pytest.mark.parametrize(
    ("charset", "hint"),
    [
        ("utf-8", "did you mean 'utf8'?"),
        ("Latin-1", "did you mean 'Latin1'?"),
        ("utf16", "MySQL's names"),
        (b"utf8", "MySQL's names"),
        (5, "MySQL's names"),
    ],
)
async def test_an_unknown_one_is_refused(charset: Any, hint: str) -> None:
    async with PluginManager() as manager:
        for opening in (manager.connect(**NOWHERE, charset=charset), manager.create_pool(**NOWHERE, charset=charset)):
            with pytest.raises(ConfigurationError) as refused:
                await opening
            assert str(refused.value).startswith(f"charset={charset!r} is unknown: {hint}")
        assert manager.statistics().generations == 0


@pytest.mark.parametrize("charset", ["utf8mb4", "UTF8", "latin1", "", None])
async def test_a_known_one_gets_as_far_as_the_dial(charset: Any) -> None:
    with pytest.raises(aws_iam_async.ConfigurationError, match="not an endpoint of RDS"):
        await aws_iam_async.connect(driver="aiomysql", host="db.example", user="app", charset=charset)
