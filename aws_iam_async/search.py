"""A search for a server that plugins accept. The attempts of one pool share it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aws_iam_async.errors import WrongServerError

T = TypeVar("T")

# Seconds between two tries, and up to 30 % more: at most 2 tries a second, and a change is found within a second.
PAUSE = 0.5


class Search:
    """The attempts to connect that wait for another server. One of them tries at a time, on one event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._start = asyncio.get_running_loop().time()
        self._next_try = 0.0
        self._tries = 0
        self._reason = ""

    def refused(self, error: WrongServerError) -> None:
        """Take note of a try that ended with a refused server."""
        now = asyncio.get_running_loop().time()
        if not self._tries:
            self._start = now
        self._tries += 1
        self._reason = str(error)
        self._next_try = now + random.uniform(PAUSE, 1.3 * PAUSE)

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run an attempt when it is its turn. After one that succeeds all others may run."""
        if not self._tries:
            return await attempt()
        async with self._turn:
            await asyncio.sleep(self._next_try - asyncio.get_running_loop().time())
            result = await attempt()
            self._tries, self._next_try = 0, 0.0
            return result

    def describe(self) -> str:
        """Return what was found so far, for an error, or nothing."""
        if not self._tries:
            return ""
        times = "once" if self._tries == 1 else f"{self._tries} times"
        return f"{self._reason}. It was tried {times} in {self.seconds:.1f} s."

    @property
    def seconds(self) -> float:
        return asyncio.get_running_loop().time() - self._start
