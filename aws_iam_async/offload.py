"""Run a function in a thread of its own, so that the event loop never waits for it.

Not ``asyncio.to_thread``: that shares the loop's default executor, which the application may have filled with its own
blocking work, and which ``asyncio.run`` joins at the end even when a job still waits for a dead endpoint.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def start(function: Callable[[], T], *, name: str) -> concurrent.futures.Future[T]:
    """Start ``function`` in a new daemon thread.

    Args:
        function: What to run; it takes no arguments.
        name: The thread's name, as shown by debuggers and ``py-spy``.

    Returns:
        A future that any number of loops and threads may wait for. It cannot be cancelled: a waiter that gives up
        changes nothing for the others.
    """
    future: concurrent.futures.Future[T] = concurrent.futures.Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - handed on whole to whoever waits
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name=f"aws_iam_async {name}", daemon=True).start()
    return future


async def wait(future: concurrent.futures.Future[T]) -> T:
    """Wait for a started function on the running loop; cancelling the wait leaves the function running."""
    return await asyncio.wrap_future(future)
