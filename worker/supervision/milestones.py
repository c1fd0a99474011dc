"""Milestones of an attempt as timestamped lines of the job's log."""

import math
import time
from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime

from worker.messages import Completion, Failure, PointBatch, Snapshot, Stop
from worker.supervision.staging import Staged

END_OF_EPOCH = "samples_per_second"
"""The series that has a point at the end of each epoch and nowhere else."""

ALWAYS = 20
"""The number of first epochs that always get a line."""

SPACING = 0.01
"""The shortest time between two later lines, as a fraction of the attempt's time: about 800 lines in a day."""

LONGEST_LINE = 2000
"""Characters of the longest line."""


class Milestones:
    """Calls `line` with each line. `clock` returns seconds since 1970."""

    def __init__(self, line: Callable[[str], None], attempt: int, clock: Callable[[], float] = time.time) -> None:
        self._line, self.attempt, self._clock = line, attempt, clock
        self._began = self._last_epoch = clock()
        self._epochs = 0

    def staged(self, staged: Staged, dataset_id: str) -> None:
        step = staged.resume_step
        start = "begins" if step is None else f"resumes from the checkpoint of step {step}"
        self._say(f"attempt {self.attempt} {start}, with the {staged.rows} rows of dataset {dataset_id}")

    def began(self, device: str) -> None:
        self._say(f"attempt {self.attempt} runs on {device}")

    def settled(self, threads: int) -> None:
        self._say(f"attempt {self.attempt} computes with {threads} CPU thread{'s' if threads > 1 else ''}")

    def warned(self, messages: list[str]) -> None:
        for message in messages:
            self._say(f"warning: {message}")

    def reached(self, points: PointBatch) -> None:
        """Write a line for the last epoch that ends in these points, and a line for test results."""
        for name, (steps, _, _) in points.series.items():
            prefix, _, last = name.rpartition("/")
            if last == END_OF_EPOCH and self._may_tell_epoch():
                self._epoch(points, f"{prefix}/" if prefix else "", steps[-1])
        if tested := _values_at(points, points.step, lambda name: f"/{name}".rpartition("/")[0].endswith("/test")):
            self._say(f"tested: {tested}")

    def _epoch(self, points: PointBatch, prefix: str, step: int) -> None:
        values = _values_at(points, step, lambda name: name.startswith((f"{prefix}train/", f"{prefix}val/")))
        # The points may go beyond the end of the epoch. Only the last epoch of a training may be incomplete.
        epoch = points.epoch if step == points.step else math.floor(points.epoch)
        self._say(f"epoch {epoch:g}, step {step}: {values}")

    def stored(self, snapshot: Snapshot) -> None:
        self._say(f"checkpoint of step {snapshot.step} is stored ({snapshot.reason})")

    def ended(self, verdict: Completion | Stop | Failure | None, otherwise: str) -> None:
        """Write how the attempt ended. `otherwise` is used if the trainer did not say it."""
        match verdict:
            case Completion():
                how = "finished"
            case Stop():
                how = "stopped on request"
            case Failure(message=message):
                how = f"failed: {message}"
            case _:
                how = otherwise
        self._say(f"attempt {self.attempt} ended: {how}")

    def _may_tell_epoch(self) -> bool:
        now = self._clock()
        if self._epochs >= ALWAYS and now - self._last_epoch < SPACING * (now - self._began):
            return False
        self._epochs, self._last_epoch = self._epochs + 1, now
        return True

    def _say(self, text: str) -> None:
        at = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._line(f"{at} {text}"[:LONGEST_LINE])


def _values_at(points: PointBatch, step: int, wanted: Callable[[str], bool]) -> str:
    """The values at `step` as text, of the series that are wanted and have a point there."""
    found = []
    for name, (steps, values, _) in points.series.items():
        place = bisect_left(steps, step)
        if wanted(name) and place < len(steps) and steps[place] == step:
            found.append(f"{name} {values[place]:.4g}")
    return ", ".join(found)
