"""Nothing is left: sockets of this process, tasks of this loop, connections of the emulator."""

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable

from tests.faults.site import Site

LONGEST = 15.0  # seconds; goodbyes over TLS take their time on a busy machine


def sockets() -> int:
    """How many this process holds."""
    count = 0
    for descriptor in os.listdir("/proc/self/fd"):  # noqa: PTH208 - descriptors, not files
        with contextlib.suppress(OSError):  # the descriptor with which the folder was listed is closed
            count += stat.S_ISSOCK(os.fstat(int(descriptor)).st_mode)
    return count


class Leaks:
    """Compares open sockets, tasks and connections with those at its creation, when no connection was open."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._before = self._found()

    async def none(self) -> None:
        """Wait until nothing is left.

        Raises:
            AssertionError: Something stays; it says what.
        """
        await self._until(lambda: self._site.proxy.connections == 0)
        # The clients have disconnected. An emulator connection that stalls at a stage does not notice that.
        self._site.emulator.cut_connections()
        await self._until(lambda: self._found() == self._before)

    async def _until(self, condition: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(LONGEST):
                while not condition():  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.002)
        except TimeoutError:
            sockets_before, tasks_before = self._before
            sockets_now, tasks_now = self._found()
            raise AssertionError(
                f"{self._site.proxy.connections} connections are still open, {sockets_now - sockets_before} sockets and"
                f" {tasks_now - tasks_before} more than before"
            ) from None

    def _found(self) -> tuple[int, set[str]]:
        tasks = {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}
        return sockets(), tasks
