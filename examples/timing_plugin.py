"""A plugin of your own: log how long each physical connection took to make.

    python examples/timing_plugin.py postgresql://app@shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com/shop

It is written against the public API only.
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
    """Logs the seconds that each connection took, and how it ended.

    First in the chain, it measures everything; behind ``iam``, the driver alone.

    Args:
        clock: Seconds that only go up; to be replaced in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        """Make one connection and log how long it took."""
        begin = self._clock()
        outcome = "cancelled"
        try:
            connection = await call_next(request)
            outcome = "connected"
        except Exception as error:
            outcome = type(error).__name__
            raise
        finally:
            logger.info("%s:%s %s after %.3f s", request.host, request.port, outcome, self._clock() - begin)
        return connection


async def main(dsn: str) -> None:
    """Time a first connection, which has to wait for a token, and a second one, which has not."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    async with PluginManager(plugins=[TimingPlugin(), "iam"]) as manager:
        for _ in range(2):
            async with manager.connect(dsn):
                pass
        print(f"{manager.statistics().generations} token for {manager.statistics().connects} connections")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
