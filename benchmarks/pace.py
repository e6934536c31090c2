"""The speed of this machine, compared with the machine for which the targets in microseconds were set.

Such targets do not apply to a machine that is slower or busy. The measure is the time of a warm connection with AWS
wrapper 3.1.0, which runs on this machine in the same run.
"""

from benchmarks.line import Spread

WARM_CONNECT = 83.0  # µs over the bare driver call, with the AWS wrapper on the targets' machine

AT_PACE = "at the pace of the targets' machine"


def by_warm_connect(wrapper: Spread) -> float:
    """Return how many times slower this machine is, from the wrapper's time for a warm connection."""
    return wrapper.median / WARM_CONNECT
