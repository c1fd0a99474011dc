"""Numbers that are far from those that were learned from."""

import numpy as np
import numpy.typing as npt

from models.parts.oddity import EXAMPLES, Oddity

Reals = npt.NDArray[np.float64]
Reach = tuple[float, float]
"""The smallest and the largest number of the training rows."""

RARE = 0.01
"""The share of training rows whose largest number may be smaller than the usual one."""
SMALLER = 10
"""A row is unlike the training rows if its largest number is so many times smaller than the usual one."""


def reach_of(values: npt.NDArray[np.generic], known: Reach | None = None) -> Reach | None:
    """The reach of these numbers, and of those of `known`. NaN does not count; None if there is nothing else."""
    # No absolute values and no mask, because each would be a copy, and images are large.
    found = (float(np.fmin.reduce(values, None)), float(np.fmax.reduce(values, None))) if values.size else (np.nan,) * 2
    if np.isnan(found[0]):
        return known
    return found if known is None else (min(found[0], known[0]), max(found[1], known[1]))


def beyond(values_N: npt.NDArray[np.generic], low: float, high: float) -> npt.NDArray[np.bool_]:
    """Which values are outside of `low` to `high`, by more than these are apart."""
    with np.errstate(over="ignore"):
        reach = np.float64(high) - low
        return np.asarray((values_N < low - reach) | (values_N > high + reach))


def usual_peak(values_NF: npt.NDArray[np.generic]) -> float | None:
    """What the largest absolute number of nearly every row reaches. None if all rows are zeros, which do not count."""
    low_N, high_N = _extremes(values_NF)
    peak_N = np.maximum(high_N, -low_N)
    peak_N = peak_N[np.isfinite(peak_N) & (peak_N > 0)]
    return float(np.quantile(peak_N, RARE, method="lower")) if len(peak_N) else None


def unlike(values_NF: npt.NDArray[np.generic], reach: Reach | None, usual: float | None) -> list[Oddity]:
    """Rows with numbers far beyond the `reach` of the training rows, or with only numbers far smaller than is `usual`.

    The second is what dividing by 255 does, and what no limit of the numbers shows.
    """
    low_N, high_N = _extremes(values_NF)
    peak_N, found, rows = np.maximum(high_N, -low_N), [], len(values_NF)
    if reach is not None:
        is_high_N = beyond(high_N, *reach)
        far = np.flatnonzero(is_high_N | beyond(low_N, *reach)).tolist()
        what = f"have numbers far from those of the training rows, which go from {reach[0]:.6g} to {reach[1]:.6g}"
        suggestion = "check the scale: rows are sent with the numbers that the file of the dataset has"
        shown = [f"{value:.6g}" for value in np.where(is_high_N, high_N, low_N)[far[:EXAMPLES]]]
        found.append(Oddity.of_rows("far_from_training", what, suggestion, far, rows, shown))
    if usual is not None:
        small = np.flatnonzero((peak_N > 0) & (peak_N < usual / SMALLER)).tolist()
        what = (
            f"have only numbers far smaller than the training rows have: {100 * (1 - RARE):.0f} % of those that are "
            f"not all zeros reach {usual:.6g} or more"
        )
        suggestion = "check the scale: numbers that were divided, such as by 255, are sent as they were before"
        shown = [f"{value:.6g}" for value in peak_N[small[:EXAMPLES]]]
        found.append(Oddity.of_rows("small_numbers", what, suggestion, small, rows, shown))
    return found


def _extremes(values_NF: npt.NDArray[np.generic]) -> tuple[Reals, Reals]:
    """The smallest and the largest number of each row."""
    return values_NF.min(1).astype(np.float64), values_NF.max(1).astype(np.float64)
