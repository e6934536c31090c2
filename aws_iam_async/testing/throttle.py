"""How many new tokens a second may log in."""

import hashlib
import threading
from collections import OrderedDict, deque

_REMEMBERED = 4096


class Throttle:
    """Counts tokens that were not seen before; those that were are exempt.

    Keeps digests of the latest few thousand tokens that got in, never the tokens.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._recent: deque[float] = deque()

    def reset(self) -> None:
        """Forget every token."""
        with self._lock:
            self._known.clear()
            self._recent.clear()

    def lets_pass(self, token: str, *, now: float, limit: int | None) -> bool:
        """Count a token in, if it may pass.

        Args:
            token: A valid token.
            now: Seconds since the epoch.
            limit: How many new tokens may pass within one second; None for any number.
        """
        digest = hashlib.sha256(token.encode()).digest()
        with self._lock:
            if digest not in self._known:
                # The clock may have been set back, too.
                while self._recent and not now - 1 < self._recent[0] <= now:
                    self._recent.popleft()
                if limit is not None and len(self._recent) >= limit:
                    return False
                self._recent.append(now)
            self._known[digest] = None
            self._known.move_to_end(digest)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return True
