"""Imports in other threads, which a fork must not cut in two."""

import asyncio
import contextlib
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from aws_iam_async import offload
from aws_iam_async.fork import Undivided
from aws_iam_async.loop_local import LoopLocal

if TYPE_CHECKING:
    from concurrent.futures import Future

undivided = Undivided().work
"""To be entered around imports in threads."""

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
