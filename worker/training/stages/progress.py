"""What an evaluation decides: whether it is the best so far, whether training stops, whether the rate falls."""

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
    """Which series says what is best, and what follows where evaluations do not improve."""

    series: str | None = None
    mode: Mode = "min"
    early_stopping: EarlyStopping | None = None
    plateau: ReduceOnPlateau | None = None
    """Lower the rate when `series` stands still."""


@dataclass
class LoopState:
    """What the loop remembers from step to step beside tensors. Plain numbers: it is saved as JSON."""

    step: int = 0
    best: float | None = None
    """Best value of the series of Progress."""
    stopping_best: float | None = None
    """Best value of the series of EarlyStopping."""
    stopping_waited: int = 0
    """Evaluations since then."""
    stopped: bool = False
    plateau_best: float | None = None
    plateau_waited: int = 0
    """Evaluations without progress since the last one with it, or since the rate fell."""
    rate_scale: float = 1.0
    """Share of the learning rate that plateaus have left."""
    averaged: int = 0
    """Epochs whose weights are in the equal average."""


def track(progress: Progress, state: LoopState, series: dict[str, float]) -> tuple[float | None, bool]:
    """Take an evaluation's series into `state`. Returns its score, where it has a finite one, and if it is the best."""
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
    # Absent where it is undefined, as r2 is for targets that are all equal: no progress.
    value = series.get(stopping.series, math.nan)
    if better(value, state.stopping_best, stopping.mode, stopping.min_delta):
        state.stopping_best, state.stopping_waited = value, 0
    else:
        state.stopping_waited += 1
        state.stopped = state.stopping_waited >= stopping.patience


def _lower_rate(plateau: ReduceOnPlateau, mode: Mode, state: LoopState, value: float) -> None:
    """Multiply the rate by `factor`, down to `least`, after more than `patience` evaluations without progress."""
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
