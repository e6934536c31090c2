"""asyncio connection factory that logs asyncpg, aiomysql and psycopg in to Amazon RDS, Aurora and Aurora DSQL.

PYTEST_DONT_REWRITE: pytest loads the fixtures of this package, and the program may have imported the package before.
"""

from aws_iam_async.api import connect, create_pool
from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.errors import (
    AwsIamError,
    ConfigurationError,
    CredentialsError,
    DriverNotFoundError,
    InsecureTransportError,
    PluginNotFoundError,
    RegionError,
    TokenError,
    WrongServerError,
)
from aws_iam_async.manager import PluginManager
from aws_iam_async.opening import Opening
from aws_iam_async.plugins.login import RefreshAheadCache
from aws_iam_async.plugins.protocol import ConnectNext, Plugin
from aws_iam_async.plugins.registry import register_plugin
from aws_iam_async.refresh_ahead import Reading
from aws_iam_async.request import ConnectRequest
from aws_iam_async.statistics import Statistics
from aws_iam_async.tls.contexts import ssl_context
from aws_iam_async.tokens.provider import DsqlTokenProvider, RdsTokenProvider, TokenProvider
from aws_iam_async.tokens.token import Lifetime, Token

__version__ = "0.2.0"

__all__ = [
    "AwsIamError",
    "ConfigurationError",
    "ConnectNext",
    "ConnectRequest",
    "Credentials",
    "CredentialsError",
    "DriverNotFoundError",
    "DsqlTokenProvider",
    "InsecureTransportError",
    "Lifetime",
    "Opening",
    "Plugin",
    "PluginManager",
    "PluginNotFoundError",
    "RdsTokenProvider",
    "Reading",
    "RefreshAheadCache",
    "RegionError",
    "Statistics",
    "Token",
    "TokenError",
    "TokenProvider",
    "WrongServerError",
    "connect",
    "create_pool",
    "register_plugin",
    "ssl_context",
]
