"""An example of a plugin that retries connection attempts after transient errors.

    python examples/retry_plugin.py postgresql://app@shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com/shop

It uses only the public API, and imports no driver. If you put the plugin into a package of your own, declare an entry
point. ``plugins="retry,iam"`` then works wherever the package is installed:

    [project.entry-points."aws_iam_async.plugins"]
    retry = "your_package:RetryPlugin"
"""

import asyncio
import random
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import aws_iam_async
from aws_iam_async import ConfigurationError, ConnectNext, ConnectRequest

# SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
SERVER_IS_STARTING_OR_STOPPING = {"57P01", "57P02", "57P03"}
CONNECTION_BROKE = {"08000", "08001", "08003", "08006"}
# https://dev.mysql.com/doc/mysql-errors/8.4/en/client-error-reference.html
CANNOT_CONNECT, CONNECTION_LOST = 2003, 2013
LONGEST_DELAY = 5.0  # seconds


class RetryPlugin:
    """Makes up to ``retry_attempts`` attempts, with exponential backoff and jitter.

    Put it before ``iam``, so that each attempt gets a valid token from the cache. The driver's connect timeout limits
    the time of all attempts together.

    Options:
        retry_attempts: The maximum number of attempts. Default: 3.
        retry_delay: The delay before the second attempt, in seconds. It doubles with each attempt, up to 5. Default:
            0.1.

    Args:
        sleep: Sleeps for a number of seconds. Tests can replace it.
        draw: Returns a random number in [0, 1). Tests can replace it.
    """

    option_names = frozenset({"retry_attempts", "retry_delay"})

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._sleep = sleep
        self._draw = draw

    async def check(self, request: ConnectRequest) -> None:
        """Check the options before a pool opens.

        Raises:
            ConfigurationError: The value of an option is not valid.
        """
        read_options(request)

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        """Open a connection, with retries."""
        attempts, delay = read_options(request)
        for failures in range(1, attempts):
            try:
                return await call_next(request)
            except Exception as error:
                if not is_transient(error):
                    raise
            # Half of the delay is random, so that clients that failed together do not retry together.
            longest = min(LONGEST_DELAY, delay * 2 ** (failures - 1))
            await self._sleep(longest * (0.5 + 0.5 * self._draw()))
        return await call_next(request)


def read_options(request: ConnectRequest) -> tuple[int, float]:
    """Return the number of attempts and the first delay.

    An option from a DSN, such as ``?retry_attempts=5``, has a string as its value.

    Raises:
        ConfigurationError: The value of an option is not valid.
    """
    try:
        attempts = int(request.options.get("retry_attempts", 3))
        delay = float(request.options.get("retry_delay", 0.1))
    except (TypeError, ValueError) as error:
        raise ConfigurationError("retry_attempts and retry_delay must be numbers") from error
    if attempts < 1 or not 0 <= delay <= LONGEST_DELAY:
        raise ConfigurationError(f"retry_attempts must be 1 or more, and retry_delay from 0 to {LONGEST_DELAY:g} s")
    return attempts, delay


def is_transient(error: BaseException) -> bool:
    """Return whether a retry can succeed.

    A retry does not help after a refused login, a wrong option or an invalid certificate.
    """
    if isinstance(error, ssl.SSLError):
        return False
    if isinstance(error, socket.gaierror):
        return error.errno == socket.EAI_AGAIN
    if isinstance(error, OSError):
        return True
    if sqlstate := getattr(error, "sqlstate", None):  # asyncpg
        return sqlstate in SERVER_IS_STARTING_OR_STOPPING | CONNECTION_BROKE
    if error.args[:1] == (CANNOT_CONNECT,):  # aiomysql wraps the error of the network
        return error.__cause__ is None or is_transient(error.__cause__)
    return error.args[:1] == (CONNECTION_LOST,)


async def main(dsn: str) -> None:
    """Connect with up to five attempts."""
    aws_iam_async.register_plugin("retry", RetryPlugin)
    async with (
        aws_iam_async.PluginManager(plugins="retry,iam", retry_attempts=5) as manager,
        manager.connect(dsn),
    ):
        print("connected")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
