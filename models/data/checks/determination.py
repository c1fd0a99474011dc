"""Columns that determine the target: copies of it in other words, in other units, or cut at thresholds."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from athanor.contract import Column
from models.data.checks.classes import normalized
from models.data.checks.sample import Sample, codes
from models.data.columns import shown

Codes = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

FEWEST = 20
"""Rows below which agreement is chance."""
REPEATS = 5
"""Rows that a value has on average. Values that hardly repeat go with one class each, whatever they mean."""
SPARED = 0.01
"""Of the rows that the most frequent class gets wrong, the share that a column may get wrong too."""
_ALIKE = 1 - 1e-6
"""The correlation of a column with its multiple, where both are rounded."""


def determines(column: Column, target: Column, sample: Sample) -> str | None:
    """How the column gives the target away, in words for a warning. None if it does not."""
    values, answers = sample.columns[column.name], sample.columns[target.name]
    known = answers.is_valid()
    values, answers = values.filter(known), answers.filter(known)
    if len(answers) < FEWEST:
        return None
    if is_number(answers) and not target.classes:
        return _copied_number(column, target, values, answers)
    return _copied_classes(column, target, values, _classes(answers))


def is_number(values: pa.Array) -> bool:
    return bool(pa.types.is_integer(values.type) or pa.types.is_floating(values.type))


def _classes(answers: pa.Array) -> Codes:
    """Numbers of the classes; spellings that are nearly equal count as one."""
    if not pa.types.is_string(answers.type):
        return codes(answers)[0]
    return codes(normalized(answers))[0]


def _copied_classes(column: Column, target: Column, values: pa.Array, t_N: Codes) -> str | None:
    v_N, distinct = codes(values)
    rows, majority = len(t_N), int(np.bincount(t_N).max())
    may_miss = SPARED * (rows - majority)
    if majority == rows:
        return None
    if 2 <= distinct <= rows / REPEATS and rows - (agree := _agreeing(v_N, t_N)) <= may_miss:
        told = f"{agree:,} of {rows:,} rows"
        return f"each of its {distinct:,} values goes with one value of {shown(target.name)} ({told})"
    if 0 < values.null_count < rows:
        agree = _agreeing(values.is_valid().cast(pa.int64()).to_numpy(zero_copy_only=False), t_N)
        if rows - agree <= may_miss:
            told = f"{agree:,} of {rows:,} rows"
            return f"whether it has a value goes with one value of {shown(target.name)} ({told})"
    if is_number(values) and distinct > 2 and not values.null_count:
        return _thresholds(target, _reals(values), t_N)
    return None


def _agreeing(v_N: Codes, t_N: Codes) -> int:
    """Rows of which the class is the most frequent one of their value."""
    classes = int(t_N.max()) + 1
    pairs, counts = np.unique(v_N * classes + t_N, return_counts=True)
    best = np.zeros(int(v_N.max()) + 1, np.int64)
    np.maximum.at(best, pairs // classes, counts)
    return int(best.sum())


def _thresholds(target: Column, x_N: Reals, t_N: Codes) -> str | None:
    """Whether each class has an interval of the numbers for itself. Few classes only: many are often an order."""
    order = np.argsort(x_N, kind="stable")
    x_N, t_N = x_N[order], t_N[order]
    cuts = np.flatnonzero(t_N[1:] != t_N[:-1])
    counts = np.bincount(t_N)
    classes = int((counts > 0).sum())
    if len(cuts) != classes - 1 or counts[counts > 0].min() < FEWEST // 2 or (x_N[cuts] == x_N[cuts + 1]).any():
        return None
    at = ", ".join(f"{(x_N[cut] + x_N[cut + 1]) / 2:.6g}" for cut in cuts[:5])
    return f"cut at {at}, it gives {shown(target.name)} in all {len(t_N):,} rows"


def _copied_number(column: Column, target: Column, values: pa.Array, answers: pa.Array) -> str | None:
    if not is_number(values):
        return None
    both = values.is_valid()
    x_N, y_N = _reals(values.filter(both)), _reals(answers.filter(both))
    if len(x_N) < FEWEST or 20 * len(x_N) < 19 * len(answers) or len(np.unique(y_N)) < FEWEST:
        return None
    with np.errstate(all="ignore"):
        alike = abs(float(np.corrcoef(x_N, y_N)[0, 1])) >= _ALIKE
        slope = float((y_N.std() / x_N.std()) * np.sign(np.cov(x_N, y_N)[0, 1])) if alike else np.nan
    if np.isfinite(slope):
        return (
            f"{shown(target.name)} is {slope:.6g} times it plus a constant in all {len(x_N):,} rows, but for rounding"
        )
    if _same_order(x_N, y_N) or _same_order(x_N, -y_N):
        return f"its values and those of {shown(target.name)} have the same order in all {len(x_N):,} rows"
    return None


def _same_order(x_N: Reals, y_N: Reals) -> bool:
    """Whether y rises exactly where x does, and is equal exactly where x is."""
    order = np.argsort(x_N, kind="stable")
    return bool((np.sign(np.diff(x_N[order])) == np.sign(np.diff(y_N[order]))).all())


def _reals(values: pa.Array) -> Reals:
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
