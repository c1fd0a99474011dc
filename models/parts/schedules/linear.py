"""Linear decay."""

from typing import Literal

from pydantic import Field

from models.parts.schedule import Schedule


class LinearDecay(Schedule):
    """A straight line from the optimizer's rate down to `final` of it (Devlin et al. 2019, appendix A.2)."""

    kind: Literal["linear"] = "linear"
    final: float = Field(0.0, ge=0, le=1, description="share of the rate that is left at the end")

    def shape(self, step: int, steps: int) -> float:
        return 1 - (1 - self.final) * min(step, steps) / steps
