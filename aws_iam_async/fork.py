"""Work in threads that a fork must not cut in two."""

import contextlib
import os
import threading
from collections.abc import Iterator

__all__ = ["Undivided"]


class Undivided:
    """One piece of work at a time, which a fork waits for. Made once, as a global: it is never let go.

    In a child that was forked in the middle of it there is nobody to finish it, and nobody to release the locks that it
    had: of a module that is half imported, or of OpenSSL while it reads certificates. Whoever needs those waits forever
    (CPython 3.11 to 3.14).
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._forking = False
        if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
            os.register_at_fork(before=self._acquire, after_in_parent=self._release, after_in_child=self._renew)

    @contextlib.contextmanager
    def work(self) -> Iterator[None]:
        """Do some; within it, more may be begun."""
        with self._lock:
            yield

    def _acquire(self) -> None:
        self._lock.acquire()
        self._forking = True

    def _release(self) -> None:
        # Not if this was made while a fork had begun and waited for another one.
        if self._forking:
            self._forking = False
            self._lock.release()

    def _renew(self) -> None:
        # Not released: a server written in C may fork without a word before it.
        self._lock = threading.RLock()
        self._forking = False
