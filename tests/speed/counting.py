"""Count the Python functions that something calls: that does not depend on the machine, as its time does.

Those of the standard library are counted too, on CPython 3.11; later ones inline some.
"""

import sys
from collections import Counter
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any


async def called(call: Callable[[], Any], times: int = 1) -> Counter[CodeType]:
    """Return how often so many calls call each Python function."""
    calls: Counter[CodeType] = Counter()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            calls[frame.f_code] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for _ in range(times):
            await call()
    finally:
        sys.setprofile(before)
    return calls
