"""Metrics: how good outputs are, in one number.

Shape letters: B rows, T words or tokens, K outputs.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from models.registry import Buildable, Registry

Direction = Literal["min", "max"]
LOSS: Direction = "min"
"""Every loss is a number to make small."""


@dataclass(frozen=True)
class Meaning:
    """What the numbers of outputs and targets stand for."""

    unit: float = 1.0
    """What a difference of 1 is in the target's own unit."""
    names: tuple[str, ...] = ()
    """Of the classes or tags, in the order of the outputs."""


class Metric(Buildable, ABC):
    """How good outputs are, in one number."""

    direction: ClassVar[Direction]
    tasks: ClassVar[frozenset[str]]
    """Tasks that are evaluated by it. A target may name it for a task of its own."""
    statistics: ClassVar[tuple[str, ...]]
    """Names of the numbers that the figure follows from."""
    additive: ClassVar[bool] = True
    """Whether the statistics of batches can be added up to those of the whole."""
    each_step: ClassVar[bool] = False
    """Whether training steps are measured by it too, in the series train/…"""

    @abstractmethod
    def count(self, y: torch.Tensor, t: torch.Tensor, meaning: Meaning) -> list[float]:
        """The statistics of outputs y_BK or y_BTK and targets t_B or t_BT, where -1 pads t_BT."""

    @abstractmethod
    def conclude(self, statistics: Sequence[float], meaning: Meaning) -> float | None:
        """The figure. None where it is undefined."""

    def measure(self, y: torch.Tensor, t: torch.Tensor, meaning: Meaning) -> float | None:
        """The figure of outputs y_BK or y_BTK and targets t_B or t_BT. None where it is undefined."""
        return self.conclude(self.count(y, t, meaning), meaning)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        METRICS.add(cls)


METRICS: Registry[Metric] = Registry("metrics")


def direction(series: str) -> Direction | None:
    """Which way a series such as val/accuracy improves. None of a series that is no loss and no metric."""
    name = series.rpartition("/")[2]
    if name == "loss":
        return LOSS
    return METRICS[name].direction if name in METRICS else None
