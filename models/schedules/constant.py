"""A constant learning rate."""

from typing import Literal

from models.kinds import Schedule


class Constant(Schedule):
    """The optimizer's rate throughout."""

    kind: Literal["constant"] = "constant"

    def shape(self, step: int, steps: int) -> float:
        return 1.0
