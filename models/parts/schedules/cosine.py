"""Cosine annealing."""

import math
from typing import Literal

from pydantic import Field

from models.parts.schedule import Schedule


class Cosine(Schedule):
    """Half a cosine from the optimizer's rate down to `final` of it (Loshchilov and Hutter 2017)."""

    kind: Literal["cosine"] = "cosine"
    final: float = Field(0.0, ge=0, le=1, description="share of the rate that is left at the end")

    def shape(self, step: int, steps: int) -> float:
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(step, steps) / steps))
