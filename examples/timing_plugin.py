"""An example of a plugin that logs how long each connection attempt took.

    python examples/timing_plugin.py postgresql://app@shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com/shop

It uses only the public API.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from aws_iam_async import ConnectNext, ConnectRequest, PluginManager

logger = logging.getLogger(__name__)


class TimingPlugin:
    """Logs the duration and the result of each connection attempt.

    As the first plugin, it measures the whole attempt. After ``iam``, it measures only the driver.

    Args:
        clock: Returns the time of a monotonic clock, in seconds. Tests can replace it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        """Open a connection, and log how long it took."""
        start = self._clock()
        outcome = "cancelled"
        try:
            connection = await call_next(request)
            outcome = "connected"
        except Exception as error:
            outcome = type(error).__name__
            raise
        finally:
            logger.info("%s:%s %s after %.3f s", request.host, request.port, outcome, self._clock() - start)
        return connection


async def main(dsn: str) -> None:
    """Time two connections. The first one waits for a token, and the second one gets it from the cache."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    async with PluginManager(plugins=[TimingPlugin(), "iam"]) as manager:
        for _ in range(2):
            async with manager.connect(dsn):
                pass
        print(f"{manager.statistics().generations} token for {manager.statistics().connects} connections")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
