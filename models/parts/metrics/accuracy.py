"""Accuracy."""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch

from athanor.contract import Interval
from models.parts.metric import Direction, Meaning, Metric


class Accuracy(Metric):
    """Share of rows, words or tokens whose largest output is the true class."""

    direction: ClassVar[Direction] = "max"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "tagging", "language_modeling"})
    statistics: ClassVar[tuple[str, ...]] = ("targets", "right")
    each_step: ClassVar[bool] = True
    interval: ClassVar[Interval | None] = "proportion"

    kind: Literal["accuracy"] = "accuracy"

    def count(self, y: torch.Tensor, t: torch.Tensor, meaning: Meaning) -> list[float]:
        # Padding is -1, which never equals the number of an output.
        targets = len(t) if t.dim() == 1 else int((t >= 0).sum())
        return [float(targets), float((y.argmax(-1) == t).sum())]

    def conclude(self, statistics: Sequence[float], meaning: Meaning) -> float | None:
        targets, right = statistics
        return right / targets if targets else math.nan
