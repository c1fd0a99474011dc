"""One cycle."""

import math
from typing import Literal

from pydantic import Field

from models.parts.schedule import Schedule


class OneCycle(Schedule):
    """Rises from a fraction of the optimizer's rate to the full rate, then falls far below the start (Smith 2018).

    The rate begins at lr / `start`, is lr after `peak` of the steps, and ends at lr / (`start` · `final`). The momentum
    is constant. `warmup_steps`, rarely needed here, come before the cycle.
    """

    kind: Literal["one_cycle"] = "one_cycle"
    peak: float = Field(0.3, gt=0, lt=1, description="share of the steps in which the rate rises")
    start: float = Field(25.0, ge=1, le=1e6, description="the initial rate is lr / start")
    final: float = Field(1e4, ge=1, le=1e12, description="the last rate is the initial rate / final")
    anneal: Literal["cosine", "linear"] = Field("cosine", description="shape of the rise and the fall")

    def shape(self, step: int, steps: int) -> float:
        done, low = min(step, steps) / steps, 1 / self.start
        if done < self.peak:
            return low + (1 - low) * self._rise(done / self.peak)
        end = low / self.final
        return end + (1 - end) * self._rise((1 - done) / (1 - self.peak))

    def _rise(self, share: float) -> float:
        """From 0 to 1 as `share` goes from 0 to 1."""
        return share if self.anneal == "linear" else 0.5 * (1 - math.cos(math.pi * share))
