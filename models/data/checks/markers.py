"""Numbers that may stand for a missing value, such as -999: they move the mean of a column, and its scale."""

import json

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from athanor.contract import Column, Warned
from models.data.checks.sample import Sample
from models.data.columns import shown
from models.parts.feature import of
from models.parts.reach import beyond

FEWEST = 10
"""Other values below which nothing is said."""
TWICE = 2
"""Rows from which a number is no accident."""
_MANY = 0.3
"""The share of different numbers that end in 9 from which these are prices: by chance it is a tenth."""

_WRITTEN = ["9" * whole + (f".{'9' * part}" if part else "") for whole in range(2, 11) for part in range(3)]
_SPELLED = {float(np.float32(each)): each for each in _WRITTEN if len(each) <= 7} | {
    float(each): each for each in _WRITTEN
}
"""How such numbers are written, those of float32, too."""
_NINES = np.array([*_SPELLED])


def missing_marker(column: Column, sample: Sample) -> list[Warned]:
    """A warning about numbers made of nines that repeat, and are far from all other numbers of the column."""
    values = sample.columns.get(column.name)
    if values is None or not of(column).reads_numerals:
        return []
    numbers_N = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    markers = _markers(numbers_N[np.isfinite(numbers_N)], is_whole=column.integer)
    if not markers:
        return []
    are_marked = np.isin(numbers_N, markers)
    others = numbers_N[np.isfinite(numbers_N) & ~are_marked]
    count = int(are_marked.sum())
    each = [f"{_spelled(marker)} ({int((numbers_N == marker).sum()):,})" for marker in markers]
    told = _spelled(markers[0]) if len(markers) == 1 else " or ".join(each)
    mark = str(column.settings.get("decimal") or ".")
    known = column.settings.get("missing")
    words = [*(known if isinstance(known, list) else []), *(_spelled(marker).replace(".", mark) for marker in markers)]
    feature = {"kind": column.kind, **column.settings, "missing": words}
    return [
        Warned(
            code="missing_marker",
            column=column.name,
            message=f"column {shown(column.name)}: {count:,} of {len(values):,} rows have {told}, and all others are "
            f"from {others.min():.6g} to {others.max():.6g}; such numbers often mean that a value is missing, and a "
            f"job learns from them as from all numbers{sample.extent}",
            rows=sample.first(are_marked),
            suggestion="if they do, upload with features="
            + json.dumps({column.name: feature}, ensure_ascii=False)
            + "; dataset.features of a spec says the same for one job",
        )
    ]


def _markers(numbers_N: npt.NDArray[np.float64], *, is_whole: bool) -> list[float]:
    """Those of the numbers, none of which is missing, that may be markers."""
    is_nines = np.isin(np.abs(numbers_N), _NINES) | ((numbers_N == -9) & is_whole)
    if not is_nines.any():
        return []
    found, counts = np.unique(numbers_N[is_nines], return_counts=True)
    candidates = found[counts >= TWICE]
    others = numbers_N[~np.isin(numbers_N, candidates)]
    distinct = np.unique(others)
    if len(others) < FEWEST or len(distinct) < TWICE:
        return []
    far = beyond(candidates, float(distinct[0]), float(distinct[-1]))
    # Where nothing else is negative, -999 is no amount, however large the others are.
    far |= (candidates <= -99) & (candidates == np.round(candidates)) & (distinct[0] >= 0)
    return [float(each) for each in candidates[far] if each < 0 or not _are_prices(distinct, float(each))]


def _are_prices(distinct: npt.NDArray[np.float64], candidate: float) -> bool:
    """Whether many numbers end in 9 at the last place of `candidate`, as prices do: 19.99, or 29 and 399."""
    places = len(_spelled(candidate).partition(".")[2])
    ends = np.round(np.abs(distinct) * 10**places) % 10
    return bool(np.mean(ends == 9) > _MANY)


def _spelled(number: float) -> str:
    return f"{'-' if number < 0 else ''}{_SPELLED.get(abs(number), '9')}"
