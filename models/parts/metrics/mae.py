"""Mean absolute error."""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch

from athanor.contract import Interval
from models.parts.metric import Direction, Meaning, Metric


class MAE(Metric):
    """Mean absolute error, in the target's own unit."""

    direction: ClassVar[Direction] = "min"
    tasks: ClassVar[frozenset[str]] = frozenset({"regression"})
    statistics: ClassVar[tuple[str, ...]] = ("targets", "absolute_error")
    interval: ClassVar[Interval | None] = "error"

    kind: Literal["mae"] = "mae"

    def count(self, y: torch.Tensor, t: torch.Tensor, meaning: Meaning) -> list[float]:
        error_B = y.squeeze(1).double() - t.double()
        return [float(len(t)), float(error_B.abs().sum())]

    def conclude(self, statistics: Sequence[float], meaning: Meaning) -> float | None:
        targets, absolute = statistics
        return absolute / targets * meaning.unit if targets else math.nan
