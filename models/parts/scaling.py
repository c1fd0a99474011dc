"""The divisor that gives numbers unit variance."""

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]


def divisor(std: npt.ArrayLike, mean: npt.ArrayLike, count: int) -> Reals:
    """The standard deviation of `count` numbers, or 1 if they are all equal.

    The computed deviation of equal numbers is rarely 0, because their mean is rounded. It is at most
    count · ε · |mean|: the relative error of a sum of n terms is below n · ε (Higham 2002, "Accuracy and Stability of
    Numerical Algorithms").
    """
    std, rounding = np.asarray(std, np.float64), count * np.finfo(np.float64).eps * np.abs(np.asarray(mean, np.float64))
    return np.where(std > rounding, std, 1.0)
