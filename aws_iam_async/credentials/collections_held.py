"""Keep the garbage collector from stopping every thread while a big library is imported."""

import contextlib
import gc
from collections.abc import Iterator

from aws_iam_async.importing import undivided

# CPython 3.12 starts with some frozen objects of its own (375 in 3.12.1); an application that freezes has thousands.
_FROZEN_BY_APPLICATION = 1000


@contextlib.contextmanager
def collections_held() -> Iterator[None]:
    """Hold garbage collections back, and see to it that none is due because of what was made meanwhile.

    Importing botocore makes so many lasting objects that full collections set in, each of which stops all threads, the
    event loop's too, for 20 to 40 ms (CPython 3.11). Holding them back alone would make the first one afterwards look
    through everything at once. ``gc.freeze()`` and ``gc.unfreeze()`` together put all objects into the oldest
    generation without looking at any, and clear the counts: as if the import had happened at start-up.

    Nothing is held where the application has switched the collector off; and what it has frozen stays frozen.
    """
    with undivided():
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
