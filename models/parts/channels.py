"""Where the channels of an array of pictures are, and rows with the channels last."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from athanor.contract import Column
from models.data.table import Layout

Channels = Literal["first", "last"]

_USUAL = frozenset({1, 3, 4})
"""Channels of gray, of colors, and of colors with alpha."""


def likely(shape: Sequence[int]) -> Channels:
    """Where the channels of rows of this shape are. Rows without channels have them last."""
    if len(shape) != 3:
        return "last"
    first, middle, final = shape
    if final in _USUAL or first == middle:
        return "last"
    return "first" if first in _USUAL or first < middle == final else "last"


def unsure(shape: Sequence[int]) -> str | None:
    """Why the channels may be elsewhere, and what settles it. None if the shape leaves no doubt."""
    if len(shape) != 3:
        return None
    first, middle, final = shape
    if (first in _USUAL) != (final in _USUAL) and (middle == final if first in _USUAL else True):
        return None
    place = likely(shape)
    count = first if place == "first" else final
    other = "last" if place == "first" else "first"
    return (
        f"a row of {first} × {middle} × {final} is read as {count} channels, which are {place}; "
        f"if they are {other}, say channels = {other} in features of the upload or of the spec"
    )


def placed(chosen: Channels | None, column: Column, stored: Sequence[int]) -> Channels:
    """Where the channels of the stored cells are. Descriptions of earlier versions have them last."""
    return chosen or ("last" if column.stored is None else likely(stored))


def last(shape: Sequence[int], channels: Channels) -> tuple[int, int, int]:
    """Height, width and channels of rows that are [height, width] or have three axes."""
    first, middle, final = (*shape, 1)[:3]
    return (middle, final, first) if channels == "first" and len(shape) == 3 else (first, middle, final)


def moved(cells: npt.NDArray[Any], channels: Channels) -> npt.NDArray[Any]:
    """Cells [N, …] with the channels last."""
    return np.moveaxis(cells, 1, 3) if channels == "first" and cells.ndim == 4 else cells


def packed(cells: Sequence[npt.NDArray[Any]] | npt.NDArray[Any], values: pa.Array, layout: Layout) -> pa.Array:
    """Cells as an Arrow array with this layout. They are null where `values` are."""
    data = np.empty((len(values), *layout.shape), layout.dtype)
    for row, cell in enumerate(cells):
        data[row] = cell
    valid = None if not values.null_count else pa.array(values.is_valid()).buffers()[1]
    buffers = [valid, pa.py_buffer(data.reshape(-1))]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(layout.width), len(values), buffers)
