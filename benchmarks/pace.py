"""How fast this machine is, beside the one for which the targets in microseconds were set.

Those times say nothing of a machine that is slower, or busy. On that machine the AWS wrapper 3.1.0 took so long for a
warm connect, which it makes here in the same run.
"""

from benchmarks.line import Spread

WARM_CONNECT = 83.0  # µs over the bare driver call

AT_PACE = "at the pace of the targets' machine"


def by_warm_connect(wrapper: Spread) -> float:
    """Return how many times slower this machine is, by what the wrapper took for a warm connect."""
    return wrapper.median / WARM_CONNECT
