"""Schedules: the learning rate over time."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from models.registry import Buildable, Registry


@dataclass(frozen=True)
class ReduceOnPlateau:
    """What happens to the rate when an evaluation does not improve by more than `threshold`."""

    factor: float
    patience: int
    threshold: float
    least: float


class Schedule(Buildable, ABC):
    """The learning rate over time, as a factor of the optimizer's: a function of the step, with no memory.

    What depends on how training goes is not in the function: a schedule says by `standstill` that it wants it, and the
    loop remembers.
    """

    warmup_steps: int = Field(0, ge=0, le=100_000_000, description="steps over which the rate rises from 0, linearly")

    @abstractmethod
    def shape(self, step: int, steps: int) -> float:
        """The factor at `step` of `steps`, both counted from the end of the warm-up."""

    def factor(self, step: int, steps: int) -> float:
        """The factor for the step numbered `step`, from 0, of `steps`."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        return self.shape(step - self.warmup_steps, max(1, steps - self.warmup_steps))

    def standstill(self) -> ReduceOnPlateau | None:
        """How the rate falls where the evaluation stands still, if it does."""
        return None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        SCHEDULES.add(cls)


SCHEDULES: Registry[Schedule] = Registry("schedules")
