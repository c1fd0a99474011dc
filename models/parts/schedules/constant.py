"""A constant learning rate."""

from typing import Literal

from models.parts.schedule import Schedule


class Constant(Schedule):
    """The optimizer's rate throughout.

    Bottou, Curtis and Nocedal 2018, section 4.2, show how far from the optimum it stays with noisy gradients.
    """

    kind: Literal["constant"] = "constant"

    def shape(self, step: int, steps: int) -> float:
        return 1.0
