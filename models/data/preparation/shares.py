"""Shares of rows or tokens, in whole numbers."""

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


def share(share: float, rows: int) -> int:
    """Rows that make up a share: at least one where any was asked for and there are three to divide."""
    return max(round(share * rows), 1 if share > 0 and rows >= 3 else 0)
