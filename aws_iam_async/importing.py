"""Imports in other threads, which a fork must not cut in two."""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from aws_iam_async import offload
from aws_iam_async.loop_local import LoopLocal

if TYPE_CHECKING:
    from concurrent.futures import Future

_under_way = threading.RLock()
_imports: "dict[tuple[int, str], Future[None]]" = {}
# A thread wakes each loop once, however many wait there.
_ends: "LoopLocal[dict[Future[None], asyncio.Event]]" = LoopLocal(dict)


async def off_the_loop(module: str) -> None:
    """Import a module in a thread, once for all who ask.

    Import it afterwards. That takes no time, unless the import failed or no thread could be started, as at the end of
    the interpreter: then it is tried there and then, and raises what there is to say.

    Args:
        module: Its full name.
    """
    # The process is part of the key: a thread that ran when the process forked never ends in the child.
    key = os.getpid(), module
    future = _imports.get(key)
    if future is None or future.done():
        if module in sys.modules:
            return
        try:
            future = _imports[key] = offload.start(lambda: _try(module), name=f"import {module}")
        except RuntimeError:
            return
    ends = _ends[asyncio.get_running_loop()]
    end = ends.get(future)
    if end is None:
        end = ends[future] = asyncio.Event()
        asyncio.wrap_future(future).add_done_callback(lambda _: ends.pop(future).set())
    await end.wait()


def _try(module: str) -> None:
    # Whatever it is: whoever imports it afterwards meets it again, and a traceback of this thread would help nobody.
    with undivided(), contextlib.suppress(BaseException):
        import_module(module)


@contextlib.contextmanager
def undivided() -> Iterator[None]:
    """Have a fork wait for the imports made meanwhile, and threads take turns.

    In a child that was forked in the middle of an import, the half of a module stands in ``sys.modules`` and its lock
    belongs to a thread that is not there: whoever imports it waits forever (CPython 3.11 to 3.14).
    """
    with _under_way:
        yield


def _lock() -> None:
    _under_way.acquire()


def _unlock() -> None:
    _under_way.release()


def _renew() -> None:
    # Not released: a server written in C may fork without a word before it.
    global _under_way  # noqa: PLW0603 - there is one interpreter in a process
    _under_way = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_lock, after_in_parent=_unlock, after_in_child=_renew)
