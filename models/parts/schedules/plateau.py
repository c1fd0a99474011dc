"""Reduction on a plateau."""

from typing import Literal

from pydantic import Field

from models.parts.schedule import ReduceOnPlateau, Schedule


class Plateau(Schedule):
    """Multiplies the rate by `gamma` after more than `patience` evaluations without improvement.

    An evaluation is the value of `checkpoints.series` at the end of an epoch; it needs a validation part. After a
    reduction the count starts again. He et al. 2016, section 3.4.
    """

    kind: Literal["plateau"] = "plateau"
    gamma: float = Field(0.1, gt=0, lt=1, description="factor of each reduction")
    patience: int = Field(10, ge=0, le=100_000, description="evaluations without improvement before a reduction")
    threshold: float = Field(1e-4, ge=0, le=1e6, description="a change by no more than this is not an improvement")
    min: float = Field(0.0, ge=0, le=1, description="smallest factor of the rate")

    def shape(self, step: int, steps: int) -> float:
        return 1.0

    def reduce_on_plateau(self) -> ReduceOnPlateau:
        return ReduceOnPlateau(self.gamma, self.patience, self.threshold, self.min)
