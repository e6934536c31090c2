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
        self._callers = 0
        self._tries = 0
        self._start = 0.0
        self._next_try = 0.0  # of the loop's clock; 0 if the last server was accepted
        self._reason = ""

    @property
    def is_over(self) -> bool:
        return not self._callers and self._next_try <= asyncio.get_running_loop().time()

    def note_refusal(self, error: WrongServerError) -> None:
        now = asyncio.get_running_loop().time()
        if not self._tries:
            self._start = now
        self._tries += 1
        self._reason = str(error)
        self._next_try = now + random.uniform(PAUSE, 1.3 * PAUSE)

    async def run(self, attempt: Callable[[], Awaitable[T]], longest: float) -> T:
        """Repeat an attempt until its server is accepted, for up to ``longest`` seconds. Errors tell what was found."""
        give_up = asyncio.get_running_loop().time() + longest
        self._callers += 1
        try:
            while True:
                try:
                    return await self._take_turn(attempt, give_up)
                except WrongServerError:
                    if asyncio.get_running_loop().time() > give_up:
                        raise
        except BaseException as error:
            if self._next_try:
                error.add_note(self._describe())
            raise
        finally:
            self._callers -= 1
            if not self._callers:
                self._tries = 0

    async def _take_turn(self, attempt: Callable[[], Awaitable[T]], give_up: float) -> T:
        if self._next_try:
            async with self._turn:
                if self._next_try:  # else another one has been accepted, and all may try now
                    now = asyncio.get_running_loop().time()
                    if now > give_up:  # many others had their turns before
                        raise WrongServerError(self._reason)
                    await asyncio.sleep(self._next_try - now)
                    result = await self._try(attempt)
                    self._tries, self._next_try = 0, 0.0
                    return result
        return await self._try(attempt)

    async def _try(self, attempt: Callable[[], Awaitable[T]]) -> T:
        try:
            return await attempt()
        except WrongServerError as error:
            self.note_refusal(error)
            raise

    def _describe(self) -> str:
        if not self._tries:
            return f"{self._reason}, as an earlier attempt found"
        times = "once" if self._tries == 1 else f"{self._tries} times"
        seconds = asyncio.get_running_loop().time() - self._start
        return f"{self._reason}. It was tried {times} in {seconds:.1f} s."
