"""Cut the socket that a failed asyncpg connect leaves to the loop.

asyncpg 0.32 ends a connect that was refused, timed out or cancelled with ``transport.close()``. Over TLS that waits for
the server's goodbye, up to 30 seconds from one that has stalled, long after the caller has gone on; and a loop that
ends first warns of an unclosed transport. Only asyncpg's own frame knows the transport;
``tests/login/test_asyncpg_abandons_nothing.py`` fails when it moves.
"""

import traceback
from pathlib import PurePath

__all__ = ["cut"]

MODULE = "connect_utils.py"
VARIABLE = "tr"


def cut(error: BaseException) -> None:
    """Abort the transports in the frames of a failed ``asyncpg.connect``.

    Args:
        error: What it raised, or what cancelled it.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if PurePath(frame.f_code.co_filename).name == MODULE:
            transport = frame.f_locals.get(VARIABLE)
            if transport is not None:
                transport.abort()
