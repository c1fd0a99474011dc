"""Outages: how long requests are repeated while the service does not answer, and messages to the user."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from athanor.errors import AthanorError

ATTEMPTS = 4
FIRST_CONTACT = 10
"""Attempts to reach a service that has never answered: about 16 seconds."""
QUIET = 2.0
"""Seconds of an outage before the first message."""
REPEAT = 60.0
"""Seconds between two messages about the same outage."""

OnOutage = Callable[[AthanorError | None], None]
"""Called with the error of each attempt without an answer, and with None when the service answers again."""


@dataclass(frozen=True)
class RetryPolicy:
    """When a request without an answer is sent again.

    `attempts` is the largest number of requests. With `endless`, it applies only until the service answers once.
    `deadline` always applies; it is a time of time.monotonic().
    """

    attempts: int = ATTEMPTS
    endless: bool = False
    deadline: float | None = None
    on_outage: OnOutage | None = None

    def is_over(self, attempt: int, has_answered: bool) -> bool:
        """Whether attempt number `attempt`, from 0, was the last one."""
        if self.is_late:
            return True
        return attempt + 1 >= self.attempts and not (self.endless and has_answered)

    @property
    def is_late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def within(self, seconds: float) -> float:
        """`seconds`, or the seconds until the deadline if that is less. Never negative."""
        return seconds if self.deadline is None else max(0.0, min(seconds, self.deadline - time.monotonic()))

    def tell(self, error: AthanorError | None) -> None:
        if self.on_outage is not None:
            self.on_outage(error)


class OutageMessages:
    """Writes messages about an outage: one after `quiet` seconds, then one per `repeat` seconds, and one at its end."""

    def __init__(self, write: Callable[[str], None], quiet: float = QUIET, repeat: float = REPEAT) -> None:
        self._write, self._quiet, self._repeat = write, quiet, repeat
        self._since: float | None = None
        self._written_at: float | None = None

    def __call__(self, error: AthanorError | None) -> None:
        now = time.monotonic()
        if error is None:
            if self._since is not None and self._written_at is not None:
                self._write(f"the service answers again after {now - self._since:.0f} s")
            self._since = self._written_at = None
            return
        if self._since is None:
            self._since = now
        due = self._since + self._quiet if self._written_at is None else self._written_at + self._repeat
        if now >= due:
            self._written_at = now
            reason = str(error).splitlines()[0]
            self._write(f"the service does not answer, trying again (^C ends the wait, not the job): {reason}")


def log_outages() -> OutageMessages:
    """Write the messages as warnings to the logger `athanor`. Python prints them on standard error by default."""
    return OutageMessages(logging.getLogger("athanor").warning)
