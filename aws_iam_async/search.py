"""A search for a server that plugins accept, shared by the attempts of one pool: when each of them tries."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from aws_iam_async.errors import WrongServerError

T = TypeVar("T")

# Seconds between two tries, and up to 30 % more: at most 2 tries a second, and a change is found within a second.
PAUSE = 0.5


class Search:
    """The attempts to connect that wait for another server. One of them tries at a time, on one event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._callers = 0
        self._start = 0.0
        self._next_try = 0.0  # 0 if the last server was accepted
        self._tries = 0
        self._reason = ""

    @property
    def is_over(self) -> bool:
        return not self._callers and not self._next_try

    @contextlib.contextmanager
    def joined(self) -> Iterator[None]:
        """Take part. Errors get a note with what was found. When the last caller has left, the search is over."""
        self._callers += 1
        try:
            yield
        except BaseException as error:
            if self._tries:
                error.add_note(self._describe())
            raise
        finally:
            self._callers -= 1
            if not self._callers:
                self._tries = 0

    def refused(self, error: WrongServerError) -> None:
        """Take note of a try that ended with a refused server."""
        now = asyncio.get_running_loop().time()
        if not self._tries:
            self._start = now
        self._tries += 1
        self._reason = str(error)
        self._next_try = now + random.uniform(PAUSE, 1.3 * PAUSE)  # noqa: S311 - no secret

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run an attempt when it is its turn. After one that succeeds all others may run."""
        if self._next_try:
            async with self._turn:
                if self._next_try:
                    await asyncio.sleep(self._next_try - asyncio.get_running_loop().time())
                    result = await attempt()
                    self._tries, self._next_try = 0, 0.0
                    return result
        return await attempt()

    def _describe(self) -> str:
        times = "once" if self._tries == 1 else f"{self._tries} times"
        seconds = asyncio.get_running_loop().time() - self._start
        return f"{self._reason}. It was tried {times} in {seconds:.1f} s."
