"""Collect metric points of the loop, and send them in batches as columns."""

import time
from collections import defaultdict
from collections.abc import Iterator

from worker.training.loop import Step
from worker.training.pipes import Pipe

EVERY = 0.2
"""Seconds between batches."""


class PointBuffer:
    """Of one training: its steps from `start` on, `end` being where the whole job would be done at this pace.

    `before` steps came before its first. It is one `member` of a job, or the whole of it.
    """

    def __init__(self, pipe: Pipe, start: int, end: int, before: int = 0, member: int | None = None) -> None:
        self.pipe, self.start, self.end, self.before, self.member = pipe, start, end, before, member
        self.began, self.sent = time.monotonic(), 0.0
        self.gathered: dict[int | None, dict[str, list[tuple[int, float, float]]]] = {}

    def add(self, step: Step) -> None:
        """Gather the last of a step's points; with what was gathered before, they may be sent."""
        self.note(step, step.series)
        if time.monotonic() - self.sent > EVERY:
            self.flush(step)

    def note(self, step: Step, series: dict[str, float]) -> None:
        """Gather points of this training, without sending."""
        self._gather(step, series, self.member)

    def note_whole(self, step: Step, series: dict[str, float]) -> None:
        """The same of the job as a whole, which no member's points are."""
        self._gather(step, series, None)

    def _gather(self, step: Step, series: dict[str, float], member: int | None) -> None:
        at, gathered = time.time(), self.gathered.setdefault(member, defaultdict(list))
        for name, value in series.items():
            gathered[name].append((self.before + step.number, value, at))

    def to_the_end_of(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Pass steps on; where they end in an error, send what led to it before it goes on its way."""
        latest = None
        try:
            for step in steps:
                latest = step
                yield step
        except Exception:
            if latest is not None:
                self.flush(latest)
            raise

    def flush(self, step: Step) -> None:
        self.sent = time.monotonic()
        pace = (self.sent - self.began) / max(1, step.number - self.start)
        for member, gathered in (self.gathered or {self.member: {}}).items():
            self.pipe.send(
                "points",
                member=member,
                step=self.before + step.number,
                epoch=step.epoch,
                eta=pace * (self.end - step.number),
                series={name: list(zip(*points, strict=True)) for name, points in gathered.items()},
            )
        self.gathered.clear()
