"""Exponential decay."""

from typing import Literal

from pydantic import Field

from models.parts.schedule import Schedule


class Exponential(Schedule):
    """Decay by a constant factor per step, from the optimizer's rate down to `final` of it (Senior et al. 2013)."""

    kind: Literal["exponential"] = "exponential"
    final: float = Field(0.01, gt=0, le=1, description="share of the rate that is left at the end")

    def shape(self, step: int, steps: int) -> float:
        return float(self.final ** (min(step, steps) / steps))
