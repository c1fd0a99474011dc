"""A clock for durations."""

import time


def uptime() -> float:
    """Seconds on a clock that cannot be set and continues while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
