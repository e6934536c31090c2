"""End the connects that asyncpg leaves to the loop when a pool cannot be made."""

import asyncio
from types import TracebackType
from typing import Any, Self

__all__ = ["FirstConnections"]


class FirstConnections:
    """The tasks in which a pool is opening its first connections: all come to their end, or none is left.

    asyncpg 0.32 opens them with ``asyncio.gather``, all but the very first. When one fails, the others go on connecting
    for a pool that nobody will ever have, for as long as the server lets them wait.

    To be entered around the making of the pool, which waits until those that were cancelled have ended.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._making = True

    def join(self) -> None:
        """Count the running task as one of them, while the pool is being made."""
        if self._making and (task := asyncio.current_task()):
            self._tasks.add(task)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._making = False
        others, self._tasks = self._tasks - {asyncio.current_task()}, set()
        if error is not None:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
