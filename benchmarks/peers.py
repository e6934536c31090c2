"""The others: what people use today, each with the network left out."""

from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks import stubbed_driver

OPTIONS = f"host={stubbed_driver.HOST} user=app dbname=shop"


def aws_wrapper(plugins: str = "iam") -> Callable[[], Awaitable[Any]]:
    """Return the connect of aws-advanced-python-wrapper 3.1.0's async part."""
    from aws_advanced_python_wrapper.aio.wrapper import (  # noqa: PLC0415 - half a second
        AsyncAwsWrapperConnection,
    )

    # The dialect is named, or it would ask the database for it with each connect.
    return lambda: AsyncAwsWrapperConnection.connect(
        stubbed_driver.connect, OPTIONS, plugins=plugins, wrapper_dialect="pg"
    )


def rds_client() -> Any:
    """Return a context manager that gives aiobotocore's client for RDS."""
    from aiobotocore.session import get_session  # noqa: PLC0415 - 0.3 s

    return get_session().create_client("rds", region_name=stubbed_driver.REGION)


async def by_hand(client: Any, user: str = "app") -> Any:
    """Connect with a token that aiobotocore's client makes."""
    token = await client.generate_db_auth_token(stubbed_driver.HOST, 5432, user)
    return await stubbed_driver.connect(host=stubbed_driver.HOST, port=5432, user=user, password=token)
