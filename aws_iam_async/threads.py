"""Work off the event loop: threads, what a fork must wait for, and state that belongs to one loop."""

import asyncio
import atexit
import concurrent.futures
import contextlib
import gc
import os
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable, Hashable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

# CPython 3.12 starts with some frozen objects (375 in 3.12.1). An application that calls gc.freeze() has thousands.
_FROZEN_BY_APPLICATION = 1000

EXIT_TIMEOUT = 1.0  # seconds
FORK_TIMEOUT = 5.0  # seconds; importing the SDK takes about 0.3 s, building a TLS context 0.06 s
# By process id and ``share_as``. The threads of a parent process never finish in a forked child.
_running: dict[tuple[int, Hashable], concurrent.futures.Future[Any]] = {}


@atexit.register
def _wait_at_exit() -> None:
    """Let threads finish: OpenSSL crashes in a daemon thread when the interpreter ends (CPython 3.11, OpenSSL 3.0)."""
    own = [future for (process, _), future in list(_running.items()) if process == os.getpid()]
    concurrent.futures.wait(own, EXIT_TIMEOUT)


def start(function: Callable[[], T], *, name: str, share_as: Hashable = None) -> concurrent.futures.Future[T]:
    """Run ``function`` in a new daemon thread.

    Not ``asyncio.to_thread()``: its pool may be full of the application's own work, and ``asyncio.run()`` joins it at
    the end even if a job still waits for a dead endpoint. Calls with an equal ``share_as`` share one thread while it
    runs. The future is for any number of loops and threads: cancelling a waiter does not affect the others.
    """
    future: concurrent.futures.Future[T] = concurrent.futures.Future()
    key = os.getpid(), object() if share_as is None else share_as
    running = _running.setdefault(key, future)
    if running is not future:
        return running
    future.add_done_callback(lambda _: _running.pop(key, None))
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - passed on to the waiters
            future.set_exception(error)
        else:
            future.set_result(result)

    try:
        threading.Thread(target=run, name=f"aws_iam_async {name}", daemon=True).start()
    except BaseException as error:
        future.set_exception(error)  # for the callers that share it
        raise
    return future


async def run(function: Callable[[], T], *, name: str, share_as: Hashable = None) -> T:
    """Run ``function`` like :func:`start`, and wait for its result. Cancelling the wait does not stop the thread."""
    return await asyncio.wrap_future(start(function, name=name, share_as=share_as))


class ForkBarrier:
    """Guards work in threads that a fork must not interrupt. Create it once, as a global.

    A child that is forked during such work inherits locks that are never released: that of a half-imported module, or
    OpenSSL's while it reads certificates. The child then hangs (CPython 3.11 to 3.14). So a fork waits for the work,
    for ``FORK_TIMEOUT`` at most: a thread that reads from a dead mount holds none of these locks.
    """

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):  # Windows has no fork
            os.register_at_fork(before=self._wait, after_in_parent=self._release, after_in_child=self._renew)

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Hold off forks of other threads within a ``with`` block. Any number of threads may be in such a block."""
        idle, working, this = self._idle, self._working, threading.get_ident()
        with idle:
            working.append(this)
        try:
            yield
        finally:
            with idle, contextlib.suppress(ValueError):  # a fork has given up waiting for this block
                working.remove(this)
                idle.notify_all()

    def _wait(self) -> None:
        self._idle.acquire()
        if not self._idle.wait_for(lambda: {threading.get_ident()}.issuperset(self._working), FORK_TIMEOUT):
            self._working.clear()  # the next fork does not wait for the same

    def _release(self) -> None:
        with contextlib.suppress(RuntimeError):  # of a barrier that was created while a fork had already begun
            self._idle.release()

    def _renew(self) -> None:
        # Replaced, not released: a server written in C may fork without calling the hooks before it.
        self._idle = threading.Condition()
        self._working: list[int] = []  # the threads in a block


fork_barrier = ForkBarrier()
"""Enter it around imports, and what else in a thread a fork must not interrupt."""


@contextlib.contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Pause the garbage collector while a large library is imported, and leave no collection due afterwards.

    Importing botocore makes full collections stop all threads for 20 to 40 ms (CPython 3.11). ``gc.freeze()`` and
    ``gc.unfreeze()`` together move all objects to the oldest generation without examining them.
    """
    with fork_barrier():
        threshold, *others = gc.get_threshold()
        if threshold == 0:  # another thread has paused it
            yield
            return
        # Not gc.disable(): the end of the pause would undo an application's own call.
        gc.set_threshold(0)
        try:
            yield
        finally:
            if gc.get_freeze_count() < _FROZEN_BY_APPLICATION:
                gc.freeze()
                gc.unfreeze()
            if gc.get_threshold()[0] == 0:
                gc.set_threshold(threshold, *others)


class LoopLocal(dict[AbstractEventLoop, T]):
    """State that belongs to one event loop, like tasks and futures: created on first use, dropped after the loop."""

    def __init__(self, factory: Callable[[], T]) -> None:
        super().__init__()
        self._factory = factory

    def __missing__(self, loop: AbstractEventLoop) -> T:
        # The states hold tasks, and tasks hold their loop: weak keys would never die, so closed loops are swept.
        for other in [other for other in list(self) if other.is_closed()]:
            self.pop(other, None)
        state = self[loop] = self._factory()
        return state

    def here(self) -> T:
        return self[asyncio.get_running_loop()]

    def stop_all(self, stop: Callable[[T], object]) -> None:
        """Drop all states, and have each one stopped in the thread of its loop."""
        for loop, state in list(self.items()):
            with contextlib.suppress(RuntimeError):  # the loop is closed, and what it ran with it
                loop.call_soon_threadsafe(stop, state)
        self.clear()
