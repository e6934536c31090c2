"""Read a source's credentials: from the environment, by the SDK in a thread, or by asking what the caller gave."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from aws_iam_async import offload
from aws_iam_async.credentials import environment
from aws_iam_async.credentials.snapshot import Snapshot
from aws_iam_async.credentials.source import Chain, CredentialsSource
from aws_iam_async.errors import CredentialsError
from aws_iam_async.importing import undivided
from aws_iam_async.statistics import CredentialsCounters

if TYPE_CHECKING:
    import concurrent.futures
    from types import ModuleType

# A read is given up after so long: a source that hangs once must not keep everyone waiting for good. Those that answer
# at all do so sooner, even with a person at a security key. What a thread brings after its last waiter has gone is
# good for the next caller just as long.
READ_LIMIT = 60.0


class _Thread(NamedTuple):
    """A read under way in a thread."""

    future: "concurrent.futures.Future[Snapshot]"
    asked: int
    started: float

    def keeps(self, asked: int, now: float) -> bool:
        """Whether to wait for this one rather than to start another."""
        if self.asked != asked or not 0 <= now - self.started < READ_LIMIT:
            return False
        return not self.future.done() or self.future.exception() is None


class Reader:
    """Reads the credentials of one source, one read at a time. Bound to one event loop.

    Args:
        source: Where they come from.
        clock: The wall clock.
        counters: Counts the reads that begin.
    """

    def __init__(self, source: CredentialsSource, *, clock: Callable[[], float], counters: CredentialsCounters) -> None:
        self._source = source
        self._clock = clock
        self._counters = counters
        self._thread: _Thread | None = None

    async def read(self, asked: int) -> Snapshot:
        """Read them anew, or wait for a thread that a caller who was cancelled has left behind.

        Args:
            asked: How often a rejected login has asked for new ones by now. A thread that began before the last time
                is left alone.

        Raises:
            AwsIamError: The source gives none, or does not answer in time.
        """
        source = self._source
        if isinstance(source, Chain):
            if source.profile is None and (snapshot := environment.read(os.environ)) is not None:
                self._counters.loads += 1
                return snapshot
            return await self._in_thread(lambda: _sdk().read(source.profile), asked)
        from aws_iam_async.credentials import given  # noqa: PLC0415 - for those who have such a source
        from aws_iam_async.credentials.session import unused  # noqa: PLC0415 - the same

        if (session := unused(source.provider)) is not None:
            return await self._in_thread(lambda: _sdk().read_session(session, given.name(source)), asked)
        self._counters.loads += 1
        return await self._within(READ_LIMIT, given.ask(source))

    async def _in_thread(self, read: Callable[[], Snapshot], asked: int) -> Snapshot:
        now = self._clock()
        thread = self._thread
        if thread is None or not thread.keeps(asked, now):
            self._counters.loads += 1
            thread = self._thread = _Thread(offload.start(read, name="credentials"), asked, now)
        try:
            # A thread that is given up goes on, and nobody looks at what it brings.
            snapshot = await self._within(thread.started + READ_LIMIT - now, offload.wait(thread.future))
        except asyncio.CancelledError:
            raise  # the thread goes on, and its answer waits for the next caller
        except Exception:
            self._thread = None
            raise
        self._thread = None
        return snapshot

    async def _within(self, seconds: float, answer: Awaitable[Snapshot]) -> Snapshot:
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:  # the answers themselves never fail with one
            raise CredentialsError(
                f"{self._source!r} did not answer within {READ_LIMIT:.0f} s; it will be asked anew"
            ) from None


def _sdk() -> "ModuleType":
    """Import what asks the SDK, in the thread that does."""
    with undivided():
        from aws_iam_async.credentials import sdk  # noqa: PLC0415 - not on the loop's thread
    return sdk
