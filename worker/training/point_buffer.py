"""Points of the loop, gathered and sent in batches: they travel in columns, not one by one."""

import time
from collections import defaultdict
from collections.abc import Iterator

from worker.training.loop import Step
from worker.training.pipes import Pipe

EVERY = 0.2
"""Seconds between batches."""


class PointBuffer:
    """Of one training: its steps from `start` on, `end` being where the whole job would be done at this pace.

    `before` steps came before its first, and `prefix` goes before the names of its series. All points of a step travel
    together: who reads on after a step would never see what came to it later.
    """

    def __init__(self, pipe: Pipe, start: int, end: int, before: int = 0, prefix: str = "") -> None:
        self.pipe, self.start, self.end, self.before, self.prefix = pipe, start, end, before, prefix
        self.began, self.sent = time.monotonic(), 0.0
        self.gathered: dict[str, list[tuple[int, float, float]]] = defaultdict(list)

    def add(self, step: Step) -> None:
        """Gather the last of a step's points; with what was gathered before, they may be sent."""
        self.note(step, step.series)
        if time.monotonic() - self.sent > EVERY:
            self.flush(step)

    def note(self, step: Step, series: dict[str, float], prefix: str | None = None) -> None:
        """Gather, without sending."""
        at = time.time()
        for name, value in series.items():
            full = (self.prefix if prefix is None else prefix) + name
            self.gathered[full].append((self.before + step.number, value, at))

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
        self.pipe.send(
            "points",
            step=self.before + step.number,
            epoch=step.epoch,
            eta=pace * (self.end - step.number),
            series={name: list(zip(*points, strict=True)) for name, points in self.gathered.items()},
        )
        self.gathered.clear()
