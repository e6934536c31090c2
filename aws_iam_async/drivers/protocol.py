"""What this package needs to know of a database driver."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from aws_iam_async.options import Reader
from aws_iam_async.plugins.protocol import ConnectNext
from aws_iam_async.request import ConnectRequest
from aws_iam_async.statistics import Attempts

__all__ = ["Around", "Driver", "Read"]


class Around(Protocol):
    """Puts the plugins around a driver's own connect, for one attempt."""

    def __call__(self, terminal: ConnectNext) -> ConnectNext:
        """Return the whole chain that ends in ``terminal``.

        Raises:
            AwsIamError: The manager is closed.
        """
        ...


Read: TypeAlias = Callable[[str | None, Mapping[str, Any]], ConnectRequest]
"""Reads a DSN and keywords as those of the pool were read."""


class Driver(Protocol):
    """One driver, with the plugins around its connect.

    Attributes:
        name: As in ``driver=``.
        default_port: The port where nothing else says one.
        alpn: The application protocol that it negotiates with TLS, if any.
        connect_options: The driver's own keywords for a connection, less those that a request has fields for.
        pool_options: The keywords of its pool that are not a connection's.
        query_options: The names that it reads in the query of a DSN, less those that a request has fields for.
        time_limit: Which of its keywords bounds a connect, in seconds.
        aliases: Other names that it has for a request's fields.
        refused: Keywords of the driver that cannot work here, with what to do instead.
        variables: Its own environment variables, by the request's field for which they are read where nothing else
            says it.
    """

    name: str
    default_port: int
    alpn: str | None
    connect_options: frozenset[str]
    pool_options: frozenset[str]
    query_options: frozenset[str]
    time_limit: str
    aliases: Mapping[str, str]
    refused: Mapping[str, str]
    variables: Mapping[str, str]

    def __init__(self, around: Around, attempts: Attempts) -> None:
        """Put the plugins around the driver.

        Args:
            around: Puts the plugins around the driver's connect.
            attempts: Counts how its connects end.
        """
        ...

    def reader(self, plugin_options: frozenset[str], defaults: Mapping[str, Any]) -> Reader:
        """Return what reads this driver's options; a driver brings it, so that importing the package does not."""
        ...

    def read_query(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Turn the query of a DSN into this driver's keywords, with their types.

        Raises:
            ConfigurationError: A value cannot be read, or a name is not for a DSN.
        """
        ...

    def read_environment(self, values: Mapping[str, str]) -> dict[str, Any]:
        """Turn the environment variables that are set, by field, into values for a request's fields."""
        ...

    def login_rejected(self, error: BaseException) -> bool:
        """Whether ``error`` says that the server refused user and password."""
        ...

    async def connect(self, request: ConnectRequest) -> Any:
        """Make one connection through the plugins, within the driver's own connect timeout."""
        ...

    async def create_pool(self, request: ConnectRequest, options: Mapping[str, Any], read: Read) -> Any:
        """Make a pool that takes the same way as :meth:`connect` for each of its connections.

        Args:
            request: What each connection is to be.
            options: The pool's own keywords.
            read: Reads other options, where the driver's pool can be given new ones.
        """
        ...

    @staticmethod
    async def close(connection: Any, *, failed: bool) -> None:
        """Close a connection at the end of ``async with``; ``failed``: an exception is under way."""
        ...

    @staticmethod
    async def close_pool(pool: Any) -> None:
        """Close a pool at the end of ``async with``."""
        ...
