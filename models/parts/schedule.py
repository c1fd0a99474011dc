"""Schedules: the learning rate over time."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

from pydantic import Field, model_validator

from models.errors import SpecError
from models.registry import Buildable, Registry

_EPOCHS, _STEPS = "_epochs", "_steps"
MOST_STEPS = 100_000_000


@dataclass(frozen=True)
class ReduceOnPlateau:
    """Multiply the rate by `factor`, down to `least`, after more than `patience` evaluations without improvement.

    A change counts as an improvement if it is larger than `threshold`.
    """

    factor: float
    patience: int
    threshold: float
    least: float


class Schedule(Buildable, ABC):
    """The learning rate over time, as a factor of the optimizer's rate: a function of the step, without a state.

    A schedule whose rate depends on evaluations returns its settings from `reduce_on_plateau`; the training loop keeps
    the state.
    """

    warmup_steps: int = Field(0, ge=0, le=MOST_STEPS, description="steps over which the rate rises from 0, linearly")
    warmup_epochs: float | None = Field(None, gt=0, le=100_000, description="the same in epochs")

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        for epochs, steps in self._in_epochs():
            if steps in self.model_fields_set:
                raise ValueError(f"give {steps} or {epochs}, not both")
        return self

    def _in_epochs(self) -> list[tuple[str, str]]:
        """The fields that are given in epochs, each with its field in steps."""
        names = [name for name in type(self).model_fields if name.endswith(_EPOCHS)]
        return [(name, name.removesuffix(_EPOCHS) + _STEPS) for name in names if getattr(self, name) is not None]

    def in_steps(self, steps_per_epoch: int) -> Self:
        """The same schedule with nothing given in epochs. Raises SpecError if this takes too many steps."""
        given = self._in_epochs()
        steps = {name: max(1, round(getattr(self, epochs) * steps_per_epoch)) for epochs, name in given}
        for epochs, name in given:
            if steps[name] > MOST_STEPS:
                raise SpecError(
                    f"/hyperparameters/schedule/{epochs}",
                    f"{getattr(self, epochs):,g} epochs of {steps_per_epoch:,} steps are {steps[name]:,} steps",
                    code="too_many_steps",
                    suggestion=f"fewer epochs: at most {MOST_STEPS:,} steps",
                )
        return type(self).model_validate(self.model_dump() | dict.fromkeys(dict(given)) | steps) if given else self

    @abstractmethod
    def shape(self, step: int, steps: int) -> float:
        """The factor at `step` of `steps`, both counted from the end of the warm-up."""

    def factor(self, step: int, steps: int) -> float:
        """The factor for the step numbered `step`, from 0, of `steps`."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        return self.shape(step - self.warmup_steps, max(1, steps - self.warmup_steps))

    def reduce_on_plateau(self) -> ReduceOnPlateau | None:
        """The reduction when evaluations stop improving; None for schedules without one."""
        return None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        SCHEDULES.add(cls)


SCHEDULES: Registry[Schedule] = Registry("schedules")
