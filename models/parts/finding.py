"""Findings: rules that look at the results of a job that has ended. Uses NumPy only."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from athanor.contract import Direction, Finding, Interval
from models.parts.interval import ESTIMATES, Estimate
from models.registry import Buildable, Registry


@dataclass(frozen=True)
class Curve:
    """The finite points of a series. Steps ascend."""

    steps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]

    @classmethod
    def of(cls, steps: npt.ArrayLike, values: npt.ArrayLike) -> "Curve":
        at, seen = np.asarray(steps, np.int64), np.asarray(values, np.float64)
        finite = np.isfinite(seen)
        return cls(at[finite], seen[finite])

    def __len__(self) -> int:
        return len(self.steps)


@dataclass(frozen=True)
class Training:
    """The curves of one network, by the name of the series: those of the job, or of one fold, whose series begin with
    `prefix`.
    """

    curves: Mapping[str, Curve]
    prefix: str = ""
    start: int = 0
    """The step before the first one."""


@dataclass(frozen=True)
class Result:
    """One metric of the network that the job gives, and of the baseline."""

    series: str
    value: float
    direction: Direction
    baseline: float | None
    rows: int
    """Rows of the part on which it was measured; 0 if they are not known."""
    interval: Interval | None
    """How its uncertainty follows from the number of rows. None if it does not."""

    @property
    def beats_baseline(self) -> bool:
        assert self.baseline is not None
        return self.value < self.baseline if self.direction == "min" else self.value > self.baseline

    @property
    def estimate(self) -> Estimate | None:
        """Computes its 95 % interval. None if the interval does not follow from the number of rows."""
        return ESTIMATES[self.interval] if self.interval and self.rows else None


@dataclass(frozen=True)
class JobResults:
    """What the rules know about a job. All of it is in the records of the job."""

    trainings: Sequence[Training]
    results: Sequence[Result] = ()
    """The metrics of the test part, else of the validation part. The loss is first, then the metrics of the task."""
    step: int = 0
    steps: int = 0
    succeeded: bool = True
    is_fork: bool = False
    baseline_kind: str = ""

    @property
    def is_stopped_early(self) -> bool:
        return self.succeeded and self.step < self.steps

    @property
    def compared(self) -> list[Result]:
        """The results that have a baseline."""
        return [each for each in self.results if each.baseline is not None and math.isfinite(each.baseline)]


class FindingRule(Buildable, ABC):
    """A rule that looks at the results of a job that has ended."""

    @abstractmethod
    def judge(self, job: JobResults) -> Finding | None:
        """What there is to say, or None. The time it takes is in proportion to the number of points."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        FINDINGS.add(cls)


FINDINGS: Registry[FindingRule] = Registry("findings")
