"""Root mean squared error."""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch

from athanor.contract import Interval
from models.parts.metric import Direction, Meaning, Metric


class RMSE(Metric):
    """Root of the mean squared error, in the target's own unit."""

    direction: ClassVar[Direction] = "min"
    tasks: ClassVar[frozenset[str]] = frozenset({"regression"})
    statistics: ClassVar[tuple[str, ...]] = ("targets", "squared_error")
    each_step: ClassVar[bool] = True
    interval: ClassVar[Interval | None] = "error"

    kind: Literal["rmse"] = "rmse"

    def count(self, y: torch.Tensor, t: torch.Tensor, meaning: Meaning) -> list[float]:
        error_B = y.squeeze(1).double() - t.double()
        return [float(len(t)), float(error_B.square().sum())]

    def conclude(self, statistics: Sequence[float], meaning: Meaning) -> float | None:
        targets, squared = statistics
        return (squared / targets) ** 0.5 * meaning.unit if targets else math.nan
