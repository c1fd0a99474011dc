"""Decay by the inverse square root."""

from typing import Literal

from pydantic import Field

from models.parts.schedule import Schedule


class InverseSqrt(Schedule):
    """The full rate at the end of the warm-up, then proportional to 1 / √step (Vaswani et al. 2017, equation 3).

    Steps include the warm-up: after four times the warm-up the rate is half.
    """

    kind: Literal["inverse_sqrt"] = "inverse_sqrt"
    warmup_steps: int = Field(100, ge=0, le=100_000_000, description="steps over which the rate rises from 0, linearly")

    def shape(self, step: int, steps: int) -> float:
        top = max(1, self.warmup_steps)
        return float((top / max(top, self.warmup_steps + step + 1)) ** 0.5)
