"""Metrics: one number for the quality of outputs.

Shape letters: B rows, T words or tokens, K outputs.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from athanor.contract import Interval
from models.registry import Buildable, Registry

Direction = Literal["min", "max"]
LOSS: Direction = "min"
"""A lower loss is better."""


@dataclass(frozen=True)
class Meaning:
    """The meaning of the numbers in outputs and targets."""

    unit: float = 1.0
    """The size of a difference of 1, in the target's own unit."""
    names: tuple[str, ...] = ()
    """Names of the classes or tags, in the order of the outputs."""


class Metric(Buildable, ABC):
    """One number for the quality of outputs."""

    direction: ClassVar[Direction]
    tasks: ClassVar[frozenset[str]]
    """Tasks that use this metric. A target may also name it in its own `metrics`."""
    statistics: ClassVar[tuple[str, ...]]
    """Names of the numbers from which the metric is computed."""
    additive: ClassVar[bool] = True
    """Whether the statistics of a dataset are the sums of those of its batches."""
    each_step: ClassVar[bool] = False
    """Whether training steps report it too, in the series train/…"""

    interval: ClassVar[Interval | None] = None
    """How its uncertainty follows from the number of rows, if each row has one answer. None if it does not."""

    @abstractmethod
    def count(self, y: torch.Tensor, t: torch.Tensor, meaning: Meaning) -> list[float]:
        """The statistics of outputs y_BK or y_BTK and targets t_B or t_BT, where -1 pads t_BT."""

    @abstractmethod
    def conclude(self, statistics: Sequence[float], meaning: Meaning) -> float | None:
        """The metric from its statistics. None if it is undefined."""

    def measure(self, y: torch.Tensor, t: torch.Tensor, meaning: Meaning) -> float | None:
        """The metric of outputs y_BK or y_BTK and targets t_B or t_BT. None if it is undefined."""
        return self.conclude(self.count(y, t, meaning), meaning)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        METRICS.add(cls)


METRICS: Registry[Metric] = Registry("metrics")


def direction(series: str) -> Direction | None:
    """Whether lower or higher values of a series such as val/accuracy are better. None for other series."""
    name = series.rpartition("/")[2]
    if name == "loss":
        return LOSS
    return METRICS[name].direction if name in METRICS else None
