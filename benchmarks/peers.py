"""Alternatives to this package, each with the network left out."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from benchmarks import stubbed_driver

OPTIONS = f"host={stubbed_driver.HOST} user=app dbname=shop"


def aws_wrapper(plugins: str = "iam", **properties: str) -> Callable[[], Awaitable[Any]]:
    """Return a function that connects with the async part of aws-advanced-python-wrapper 3.1.0."""
    from aws_advanced_python_wrapper.aio.wrapper import (  # noqa: PLC0415 - the import takes 0.5 s
        AsyncAwsWrapperConnection,
    )

    # Without wrapper_dialect, the wrapper queries the database for its dialect on each connection.
    return lambda: AsyncAwsWrapperConnection.connect(
        stubbed_driver.connect, OPTIONS, plugins=plugins, wrapper_dialect="pg", **properties
    )


def aws_wrapper_token() -> Callable[[str], Awaitable[Any]]:
    """Return a function that gets a user's token from the wrapper's IAM plugin, through its cache."""
    from aws_advanced_python_wrapper.aio.auth_plugins import (  # noqa: PLC0415 - the import takes 0.5 s
        AsyncIamAuthPlugin,
    )
    from aws_advanced_python_wrapper.aio.driver_dialect.psycopg import (  # noqa: PLC0415 - as above
        AsyncPsycopgDriverDialect,
    )
    from aws_advanced_python_wrapper.aio.plugin_service import (  # noqa: PLC0415 - as above
        AsyncPluginServiceImpl,
    )
    from aws_advanced_python_wrapper.hostinfo import HostInfo  # noqa: PLC0415 - as above
    from aws_advanced_python_wrapper.utils.properties import Properties  # noqa: PLC0415 - as above

    host, dialect = HostInfo(stubbed_driver.HOST, 5432), AsyncPsycopgDriverDialect()
    plugin = AsyncIamAuthPlugin(AsyncPluginServiceImpl(Properties(), dialect, host), Properties())
    connect = stubbed_driver.connect
    return lambda user: plugin.connect(connect, dialect, host, Properties(user=user), True, connect)  # noqa: FBT003 - the wrapper's signature


def rds_client() -> Any:
    """Return a context manager that yields aiobotocore's client for RDS."""
    from aiobotocore.session import get_session  # noqa: PLC0415 - the import takes 0.3 s

    return get_session().create_client("rds", region_name=stubbed_driver.REGION)


async def by_hand(client: Any, user: str = "app") -> Any:
    """Connect with a token from aiobotocore's client."""
    token = await client.generate_db_auth_token(stubbed_driver.HOST, 5432, user)
    return await stubbed_driver.connect(host=stubbed_driver.HOST, port=5432, user=user, password=token)


async def by_hand_with_a_client_each() -> Any:
    """Connect with a token from a new client that is closed afterwards, as many examples do."""
    async with rds_client() as client:
        return await by_hand(client)


def dsql_connector_token(host: str) -> Callable[[str], Any]:
    """Return the function with which aurora-dsql-python-connector 0.2.7 gets the options for asyncpg, with a token."""
    from dsql_core.connection_utils import ConnectionUtilities  # noqa: PLC0415 - this imports boto3

    return lambda user: ConnectionUtilities.parse_properties_and_set_token(
        None, {"host": host, "user": user}, driver_name="asyncpg"
    )


@contextlib.asynccontextmanager
async def cloud_sql() -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    """Yield a function that connects with cloud-sql-python-connector 1.23.0.

    This connector caches a certificate instead of a token. Only the API request for the certificate is left out. The
    connector calls ``asyncpg.connect``, which the caller must stub.
    """
    from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415 - the import takes 1 s
    from google.cloud.sql.connector import create_async_connector  # noqa: PLC0415 - as above
    from google.cloud.sql.connector.client import CloudSQLClient  # noqa: PLC0415 - as above
    from google.cloud.sql.connector.connection_info import ConnectionInfo  # noqa: PLC0415 - as above

    async def answer(_client: Any, name: Any, _keys: Any, _iam: bool) -> Any:  # noqa: FBT001 - the connector's signature
        expires = datetime.now(UTC) + timedelta(hours=1)
        # The connector creates this context from the certificate at the first connection, and caches it.
        context = ssl.create_default_context()
        return ConnectionInfo(name, "", "", b"", {"PRIMARY": ["127.0.0.1"]}, "POSTGRES_16", expires, context)

    with mock.patch.object(CloudSQLClient, "get_connection_info", answer):
        connector = await create_async_connector(enable_iam_auth=True, credentials=AnonymousCredentials())
        async with connector:
            yield lambda: connector.connect_async("project:region:shop", "asyncpg", user="app", database="shop")
