"""Coefficient of determination."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch

from models.parts.metric import Direction, Meaning, Metric


class R2(Metric):
    """Share of the target's variance that is explained. Undefined if all targets are equal.

    The mean of the targets is of the rows at hand, so the statistics of batches do not add up.
    """

    direction: ClassVar[Direction] = "max"
    tasks: ClassVar[frozenset[str]] = frozenset({"regression"})
    statistics: ClassVar[tuple[str, ...]] = ("mean_squared_error", "variance")
    additive: ClassVar[bool] = False

    kind: Literal["r2"] = "r2"

    def count(self, y: torch.Tensor, t: torch.Tensor, meaning: Meaning) -> list[float]:
        error_B = y.squeeze(1).double() - t.double()
        spread_B = t.double() - t.double().mean()
        return [float(error_B.square().mean()), float(spread_B.square().mean())]

    def conclude(self, statistics: Sequence[float], meaning: Meaning) -> float | None:
        squared, variance = statistics
        return 1 - squared / variance if variance > 0 else None
