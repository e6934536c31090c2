"""Cut what a failed asyncpg connect leaves to the loop: a socket, or a future.

asyncpg 0.32 ends a connect that was refused, timed out or cancelled with ``transport.close()``. Over TLS that waits for
the server's goodbye, up to 30 seconds from one that has stalled, long after the caller has gone on; and a loop that
ends first warns of an unclosed transport. Only asyncpg's own frame knows the transport;
``tests/login/test_asyncpg_abandons_nothing.py`` fails when it moves.

Cancelled in the tick in which TCP is up, it moreover forgets the future on which it would have waited for the server's
word on TLS. The closing socket sets an exception there, and asyncio logs that nobody has retrieved it. Only asyncio's
frame knows the protocol that has the future; ``tests/faults/test_interrupted_connects.py`` fails when it moves.
"""

import traceback
from pathlib import PurePath

from asyncpg.connect_utils import TLSUpgradeProto

from aws_iam_async.abort import abort

__all__ = ["cut"]

MODULE = "connect_utils.py"
VARIABLE = "tr"


def cut(error: BaseException) -> None:
    """Abort the transports in the frames of a failed ``asyncpg.connect``, and cancel what nobody will wait for.

    Args:
        error: What it raised, or what cancelled it.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if PurePath(frame.f_code.co_filename).name == MODULE:
            transport = frame.f_locals.get(VARIABLE)
            if transport is not None:
                abort(transport)
        protocol = frame.f_locals.get("protocol")
        if isinstance(protocol, TLSUpgradeProto):
            protocol.on_data.cancel()
