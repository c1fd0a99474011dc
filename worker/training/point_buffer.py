"""A buffer for the metric points of the loop, which sends them in batches as columns."""

import time
from collections import defaultdict
from collections.abc import Iterator

from worker.training.loop import Step
from worker.training.pipes import Pipe

EVERY = 0.2
"""Seconds between two batches."""


class PointBuffer:
    """The points of one training.

    `start` is the training's first step here, and `end` the step at which the whole job would end; both serve to
    estimate the remaining time. `before` is the number of the job's steps in earlier trainings. `member` is the number
    of the training, or None if the job has only one.
    """

    def __init__(self, pipe: Pipe, start: int, end: int, before: int = 0, member: int | None = None) -> None:
        self.pipe, self.start, self.end, self.before, self.member = pipe, start, end, before, member
        self.began, self.sent = time.monotonic(), 0.0
        self.gathered: dict[int | None, dict[str, list[tuple[int, float, float]]]] = {}

    def add(self, step: Step) -> None:
        """Add the last points of a step. All points are sent if the last batch is older than EVERY seconds."""
        self.note(step, step.series)
        if time.monotonic() - self.sent > EVERY:
            self.flush(step)

    def note(self, step: Step, series: dict[str, float]) -> None:
        """Add points of this training without sending them."""
        self._gather(step, series, self.member)

    def note_whole(self, step: Step, series: dict[str, float]) -> None:
        """Add points of the whole job without sending them."""
        self._gather(step, series, None)

    def _gather(self, step: Step, series: dict[str, float], member: int | None) -> None:
        at, gathered = time.time(), self.gathered.setdefault(member, defaultdict(list))
        for name, value in series.items():
            gathered[name].append((self.before + step.number, value, at))

    def to_the_end_of(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Yield the steps. If they end in an error, send all points before the error is raised."""
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
        """Send all points and the progress up to `step`, even if there are no points."""
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
