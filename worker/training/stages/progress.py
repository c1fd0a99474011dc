"""Decisions after an evaluation: best checkpoint, early stopping, and reducing the learning rate on a plateau."""

import math
from dataclasses import dataclass
from typing import Literal

from models.parts.schedule import ReduceOnPlateau

Mode = Literal["min", "max"]


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when `series` has not improved by `min_delta` for `patience` evaluations."""

    series: str
    mode: Mode
    patience: int
    min_delta: float


@dataclass(frozen=True)
class Progress:
    """The series that decides which evaluation is best, and what happens without improvement."""

    series: str | None = None
    mode: Mode = "min"
    early_stopping: EarlyStopping | None = None
    plateau: ReduceOnPlateau | None = None
    """How the learning rate falls when `series` stops improving."""


@dataclass
class LoopState:
    """The state of the loop without tensors. It is saved as JSON."""

    step: int = 0
    best: float | None = None
    """Best value of `Progress.series`."""
    stopping_best: float | None = None
    """Best value of `EarlyStopping.series`."""
    stopping_waited: int = 0
    """Evaluations since `stopping_best`."""
    stopped: bool = False
    plateau_best: float | None = None
    plateau_waited: int = 0
    """Evaluations since `plateau_best`, or since the learning rate last fell."""
    rate_scale: float = 1.0
    """Factor of the learning rate after all plateaus so far."""
    averaged: int = 0
    """Number of epochs in the equal average (SWA)."""


def track(progress: Progress, state: LoopState, series: dict[str, float]) -> tuple[float | None, bool]:
    """Update `state` with an evaluation. Returns its score (None if not finite), and whether it is the best so far."""
    score = series.get(progress.series or "")
    score = score if score is not None and math.isfinite(score) else None
    improved = score is not None and better(score, state.best, progress.mode)
    if improved:
        state.best = score
    if progress.early_stopping is not None:
        _stop_early(progress.early_stopping, state, series)
    if progress.plateau is not None:
        _lower_rate(progress.plateau, progress.mode, state, series.get(progress.series or "", math.nan))
    return score, improved


def _stop_early(stopping: EarlyStopping, state: LoopState, series: dict[str, float]) -> None:
    # An undefined metric is absent, such as r2 if all targets are equal. It counts as no improvement.
    value = series.get(stopping.series, math.nan)
    if better(value, state.stopping_best, stopping.mode, stopping.min_delta):
        state.stopping_best, state.stopping_waited = value, 0
    else:
        state.stopping_waited += 1
        state.stopped = state.stopping_waited >= stopping.patience


def _lower_rate(plateau: ReduceOnPlateau, mode: Mode, state: LoopState, value: float) -> None:
    """Lower the rate by `factor`, not below `least`, after more than `patience` evaluations without improvement."""
    if better(value, state.plateau_best, mode, plateau.threshold):
        state.plateau_best, state.plateau_waited = value, 0
    else:
        state.plateau_waited += 1
    if state.plateau_waited > plateau.patience:
        state.rate_scale, state.plateau_waited = max(plateau.least, state.rate_scale * plateau.factor), 0


def better(new: float, old: float | None, mode: Mode, by: float = 0.0) -> bool:
    """Whether `new` improves on `old` by more than `by`. NaN never does."""
    if old is None:
        return not math.isnan(new)
    return new < old - by if mode == "min" else new > old + by
