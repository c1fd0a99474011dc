"""Step decay."""

from typing import Literal

from pydantic import Field

from models.parts.schedule import MOST_STEPS, Schedule


class StepDecay(Schedule):
    """Multiplies the rate by `gamma` after every `every_steps` steps or `every_epochs` epochs (He et al. 2016: 0.1)."""

    kind: Literal["step"] = "step"
    every_steps: int = Field(1000, ge=1, le=MOST_STEPS, description="steps between two reductions")
    every_epochs: float | None = Field(None, gt=0, le=100_000, description="the same in epochs")
    gamma: float = Field(0.5, gt=0, le=1, description="factor of each reduction")

    def shape(self, step: int, steps: int) -> float:
        return float(self.gamma ** (step // self.every_steps))
