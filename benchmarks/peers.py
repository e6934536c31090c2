"""The others: what people use today, each with the network left out."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from benchmarks import stubbed_driver

OPTIONS = f"host={stubbed_driver.HOST} user=app dbname=shop"


def aws_wrapper(plugins: str = "iam", **properties: str) -> Callable[[], Awaitable[Any]]:
    """Return the connect of aws-advanced-python-wrapper 3.1.0's async part."""
    from aws_advanced_python_wrapper.aio.wrapper import (  # noqa: PLC0415 - half a second
        AsyncAwsWrapperConnection,
    )

    # The dialect is named, or it would ask the database for it with each connect.
    return lambda: AsyncAwsWrapperConnection.connect(
        stubbed_driver.connect, OPTIONS, plugins=plugins, wrapper_dialect="pg", **properties
    )


def aws_wrapper_token() -> Callable[[str], Awaitable[Any]]:
    """Return what makes its plugin get a token for a user, through its cache, without the rest of its connect."""
    from aws_advanced_python_wrapper.aio.auth_plugins import (  # noqa: PLC0415 - half a second
        AsyncIamAuthPlugin,
    )
    from aws_advanced_python_wrapper.aio.driver_dialect.psycopg import (  # noqa: PLC0415 - the same
        AsyncPsycopgDriverDialect,
    )
    from aws_advanced_python_wrapper.aio.plugin_service import (  # noqa: PLC0415 - the same
        AsyncPluginServiceImpl,
    )
    from aws_advanced_python_wrapper.hostinfo import HostInfo  # noqa: PLC0415 - the same
    from aws_advanced_python_wrapper.utils.properties import Properties  # noqa: PLC0415 - the same

    host, dialect = HostInfo(stubbed_driver.HOST, 5432), AsyncPsycopgDriverDialect()
    plugin = AsyncIamAuthPlugin(AsyncPluginServiceImpl(Properties(), dialect, host), Properties())
    connect = stubbed_driver.connect
    return lambda user: plugin.connect(connect, dialect, host, Properties(user=user), True, connect)  # noqa: FBT003 - its signature


def rds_client() -> Any:
    """Return a context manager that gives aiobotocore's client for RDS."""
    from aiobotocore.session import get_session  # noqa: PLC0415 - 0.3 s

    return get_session().create_client("rds", region_name=stubbed_driver.REGION)


async def by_hand(client: Any, user: str = "app") -> Any:
    """Connect with a token that aiobotocore's client makes."""
    token = await client.generate_db_auth_token(stubbed_driver.HOST, 5432, user)
    return await stubbed_driver.connect(host=stubbed_driver.HOST, port=5432, user=user, password=token)


async def by_hand_with_a_client_each() -> Any:
    """Connect with a token that a client makes which is thrown away afterwards, as many examples have it."""
    async with rds_client() as client:
        return await by_hand(client)


def dsql_connector_token(host: str) -> Callable[[str], Any]:
    """Return what aurora-dsql-python-connector 0.2.7 calls in its connect with asyncpg: its options, with a token."""
    from dsql_core.connection_utils import ConnectionUtilities  # noqa: PLC0415 - it imports boto3

    return lambda user: ConnectionUtilities.parse_properties_and_set_token(
        None, {"host": host, "user": user}, driver_name="asyncpg"
    )


@contextlib.asynccontextmanager
async def cloud_sql() -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    """Yield the connect of cloud-sql-python-connector 1.23.0, which keeps a certificate where others keep a token.

    Only the question to its API, for the certificate, is left out. It calls ``asyncpg.connect``, to be stubbed.
    """
    from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415 - a second
    from google.cloud.sql.connector import create_async_connector  # noqa: PLC0415 - the same
    from google.cloud.sql.connector.client import CloudSQLClient  # noqa: PLC0415 - the same
    from google.cloud.sql.connector.connection_info import ConnectionInfo  # noqa: PLC0415 - the same

    async def answer(_client: Any, name: Any, _keys: Any, _iam: bool) -> Any:  # noqa: FBT001 - its signature
        expires = datetime.now(UTC) + timedelta(hours=1)
        # The context is what it makes of the certificate at the first connect, and keeps.
        context = ssl.create_default_context()
        return ConnectionInfo(name, "", "", b"", {"PRIMARY": ["127.0.0.1"]}, "POSTGRES_16", expires, context)

    with mock.patch.object(CloudSQLClient, "get_connection_info", answer):
        connector = await create_async_connector(enable_iam_auth=True, credentials=AnonymousCredentials())
        async with connector:
            yield lambda: connector.connect_async("project:region:shop", "asyncpg", user="app", database="shop")
