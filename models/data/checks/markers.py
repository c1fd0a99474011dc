"""Numbers that may stand for a missing value, such as -999: they move the mean of a column, and its scale."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from athanor.contract import Column, Warned
from models.data.checks.sample import Sample
from models.data.columns import settled, shown
from models.parts.feature import of
from models.parts.reach import beyond

FEWEST = 10
"""Other values below which nothing is said."""
TWICE = 2
"""Rows from which a number is no accident."""
_MANY = 0.3
"""The share of different numbers that end in 9 from which these are prices: by chance it is a tenth."""
_APART = 10
"""How many times larger than all others the smallest of several positive markers is: 99 and 999 may be prices."""
_PLACES = 2
"""Decimal places of prices."""

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
    feature = {column.name: {"kind": column.kind, **column.settings, "missing": words}}
    return [
        Warned(
            code="missing_marker",
            column=column.name,
            message=f"column {shown(column.name)}: {count:,} of {len(values):,} rows have {told}, and all others are "
            f"from {others.min():.6g} to {others.max():.6g}; such numbers often mean that a value is missing, and a "
            f"job learns from them as from all numbers{sample.extent}",
            rows=sample.first(are_marked),
            suggestion=f"if they do, {settled(feature)}",
        )
    ]


def _markers(numbers_N: npt.NDArray[np.float64], *, is_whole: bool) -> list[float]:
    """Those of the numbers, none of which is missing, that may be markers."""
    is_nines = np.isin(np.abs(numbers_N), _NINES) | ((numbers_N == -9) & is_whole)
    if not is_nines.any():
        return []
    found, counts = np.unique(numbers_N[is_nines], return_counts=True)
    markers = found[counts >= TWICE]
    # What is no marker is one of the others, from which the next markers have to be far.
    while len(markers):
        others = numbers_N[~np.isin(numbers_N, markers)]
        if len(others) < FEWEST or len(np.unique(others)) < TWICE:
            return []
        kept = _far(markers, np.unique(others))
        if len(kept) == len(markers):
            break
        markers = kept
    return [float(each) for each in markers]


def _far(markers: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Those of the different numbers `markers` that are far from the different numbers `others`, and no prices."""
    far = beyond(markers, float(others[0]), float(others[-1]))
    # Where nothing else is negative, -999 is no amount, however large the others are.
    far |= (markers <= -99) & (markers == np.round(markers)) & (others[0] >= 0)
    positive = markers[far & (markers > 0)]
    is_ladder = len(positive) > 1 and positive[0] < _APART * np.abs(others).max()
    if is_ladder or _are_prices(others, positive):
        far &= markers < 0
    return markers[far]


def _are_prices(others: npt.NDArray[np.float64], markers: npt.NDArray[np.float64]) -> bool:
    """Whether many numbers end in 9 at the last place of the markers or at one behind it: 19.99, or 29 and 399."""
    if not len(markers):
        return False
    first = min(len(_spelled(float(each)).partition(".")[2]) for each in markers)
    for places in range(first, _PLACES + 1):
        scaled = np.round(np.abs(others) * 10**places)
        nines = int(np.sum((scaled % 10 == 9) & (scaled > 9)))
        if nines and nines + len(markers) > _MANY * (len(others) + len(markers)):
            return True
    return False


def _spelled(number: float) -> str:
    return f"{'-' if number < 0 else ''}{_SPELLED.get(abs(number), '9')}"
