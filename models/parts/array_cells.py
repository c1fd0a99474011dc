"""Cells of arrays and images as nested lists of numbers, as a predict request has them."""

from collections.abc import Sequence

import numpy as np
from pydantic import JsonValue

from models.data.table import Layout
from models.parts.channels import last, likely
from models.parts.feature import json_kind


def nested(cell: bytes, layout: Layout) -> JsonValue:
    """A cell as nested lists of numbers."""
    shown: JsonValue = np.frombuffer(cell, layout.dtype).reshape(layout.shape).tolist()
    return shown


def pack(value: object, layout: Layout, low: float, high: float) -> bytes:
    """A cell of the layout from nested lists of numbers from `low` to `high`; those of pixels are rounded.

    The lists have the shape of the layout. An axis of length 1 at either end may be left out or added, and a picture of
    one channel may be one list, row by row: a number has no other place then. Raises ValueError, which says what the
    value is.
    """
    if not isinstance(value, list):
        raise ValueError(f"this is {json_kind(value)}")
    try:
        numbers = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("this has lists of other lengths, or other values than numbers") from None
    if _core(numbers.shape) != _core(layout.shape) and not (_is_gray(layout) and numbers.shape == (_size(layout),)):
        raise ValueError(f"this has {_listed(numbers.shape)}")
    if not bool(((numbers >= low) & (numbers <= high)).all()):
        wrong = numbers[~((numbers >= low) & (numbers <= high))][0]
        raise ValueError("one of these is no number" if np.isnan(wrong) else f"one of these is {wrong:.6g}")
    if layout.is_image:
        # What is above 0 stays so: a picture of numbers from 0 to 1 is then not black, but small, and warned of.
        numbers = np.maximum(np.rint(numbers), numbers > 0)
    return numbers.astype(layout.dtype).tobytes()


def shapes(layout: Layout) -> str:
    """The shapes that `pack` reads, in words."""
    told = dict.fromkeys((_listed(layout.shape), _listed(_core(layout.shape) or (1,))))
    return " or ".join([*told, *([f"{_size(layout):d}"] if _is_gray(layout) else [])])


def _listed(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _size(layout: Layout) -> int:
    return int(np.prod(layout.shape))


def _core(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape without axes of length 1 at its ends. They change the place of no number."""
    long = [axis for axis, length in enumerate(shape) if length != 1]
    return tuple(shape[long[0] : long[-1] + 1]) if long else ()


def _is_gray(layout: Layout) -> bool:
    return layout.is_image and last(layout.shape, likely(layout.shape))[2] == 1
