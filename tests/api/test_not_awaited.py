"""What is neither awaited nor entered says so, instead of seeming to be a pool without methods."""

import asyncio
import inspect
from typing import Any

import pytest

import aws_iam_async
from aws_iam_async import ConfigurationError


@pytest.mark.parametrize(
    ("opening", "name"), [(aws_iam_async.connect, "execute"), (aws_iam_async.create_pool, "acquire")]
)
def test_a_forgotten_await_is_named(opening: Any, name: str) -> None:
    pool = opening("postgresql://app@db/shop")
    with pytest.raises(AttributeError, match=rf"{name}: nothing is opened yet; write 'await' before it"):
        getattr(pool, name)
    pool.close()


def test_a_forgotten_async_is_named() -> None:
    connection = aws_iam_async.connect("postgresql://app@db/shop")
    with pytest.raises(TypeError, match="use 'async with'"):
        connection.__enter__()  # type: ignore[attr-defined]  # what `with` calls
    connection.close()


async def test_it_is_a_coroutine_all_the_same() -> None:
    opening = aws_iam_async.connect("postgresql://app@db/shop?iam_regoin=x")
    assert asyncio.iscoroutine(opening)
    assert inspect.isawaitable(opening)
    task = asyncio.create_task(opening)
    assert "Opening" in repr(task)
    with pytest.raises(ConfigurationError, match="iam_region"):
        await task
