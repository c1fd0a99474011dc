"""Results for tests of rules: a whole, successful job, with what a test cares about said by name."""

from collections.abc import Sequence
from typing import Any

from athanor.contract import Interval
from models.parts.finding import Curve, JobResults, Result, Training


def curve(values: Sequence[float]) -> Curve:
    """A point at each step, from 1."""
    return Curve.of(range(1, len(values) + 1), list(values))


def training(prefix: str = "", **curves: Sequence[float]) -> Training:
    """`val_loss=[0.5, 0.4]`: the underscore stands for the slash of the name."""
    return Training({name.replace("_", "/"): curve(values) for name, values in curves.items()}, prefix)


def accuracy(
    value: float,
    baseline: float | None,
    rows: int = 1000,
    series: str = "test/accuracy",
    interval: Interval | None = None,
) -> Result:
    return Result(series, value, "max", baseline, rows, interval or "proportion")


def rmse(value: float, baseline: float | None, rows: int = 1000) -> Result:
    return Result("test/rmse", value, "min", baseline, rows, "error")


def results(*found: Result, **said: Any) -> JobResults:
    return JobResults(**{"trainings": [training()], "results": found, "step": 60, "steps": 60, **said})
