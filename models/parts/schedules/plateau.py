"""Falls where an evaluation stands still."""

from typing import Literal

from pydantic import Field

from models.parts.schedule import ReduceOnPlateau, Schedule


class Plateau(Schedule):
    """The rate times `gamma` whenever the evaluation has not improved for more than `patience` evaluations.

    The evaluation is the series that says which checkpoint is best, `checkpoints.series`, at the end of every epoch;
    it needs a validation part. After a fall the count of evaluations begins again. He et al. 2016, section 3.4.
    """

    kind: Literal["plateau"] = "plateau"
    gamma: float = Field(0.1, gt=0, lt=1, description="what is left after a fall")
    patience: int = Field(10, ge=0, le=100_000, description="evaluations without progress that are forgiven")
    threshold: float = Field(1e-4, ge=0, le=1e6, description="an improvement by no more than this is no progress")
    min: float = Field(0.0, ge=0, le=1, description="share of the rate below which it does not fall")

    def shape(self, step: int, steps: int) -> float:
        return 1.0

    def standstill(self) -> ReduceOnPlateau:
        return ReduceOnPlateau(self.gamma, self.patience, self.threshold, self.min)
