"""Keep the garbage collector from stopping every thread while a big library is imported."""

import contextlib
import gc
import os
import threading
from collections.abc import Iterator

# CPython 3.12 starts with some frozen objects of its own (375 in 3.12.1); an application that freezes has thousands.
_FROZEN_BY_APPLICATION = 1000

_lock = threading.Lock()


@contextlib.contextmanager
def collections_held() -> Iterator[None]:
    """Hold garbage collections back, and see to it that none is due because of what was made meanwhile.

    Importing botocore makes so many lasting objects that full collections set in, each of which stops all threads, the
    event loop's too, for 20 to 40 ms (CPython 3.11). Holding them back alone would make the first one afterwards look
    through everything at once. ``gc.freeze()`` and ``gc.unfreeze()`` together put all objects into the oldest
    generation without looking at any, and clear the counts: as if the import had happened at start-up.

    Nothing is held where the application has switched the collector off; and what it has frozen stays frozen.
    """
    with _lock:
        if not gc.isenabled():
            yield
            return
        gc.disable()
        try:
            yield
        finally:
            if gc.get_freeze_count() < _FROZEN_BY_APPLICATION:
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def _after_fork_in_child() -> None:
    # The thread that held the lock and the collector is not in the child.
    global _lock  # noqa: PLW0603 - there is one collector in a process
    if _lock.locked():
        _lock = threading.Lock()
        gc.enable()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_after_fork_in_child)
