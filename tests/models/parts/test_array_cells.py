"""Nested lists of numbers: read by their shape, and never rearranged."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from athanor.contract import Column, Stored
from models.data.table import Layout
from models.parts.array_cells import nested, pack, shapes
from models.parts.feature import CellError, of

COLORS = np.arange(192).reshape(3, 8, 8)
GRAY = np.arange(64).reshape(8, 8)


def _column(kind: Any, *stored: int, read_as: list[int]) -> Column:
    return Column(name="x", kind=kind, shape=read_as, stored=Stored(kind=kind, shape=list(stored)))


@pytest.mark.parametrize(
    ("kind", "stored", "sent"),
    [
        ("array", (3, 8, 8), COLORS),
        ("array", (8, 8), GRAY),
        ("array", (8, 8), GRAY[None]),
        ("array", (1, 8, 8), GRAY),
        ("array", (1, 8, 8), GRAY[:, :, None]),
        ("array", (64,), GRAY.ravel()),
        ("array", (1,), np.array([7])),
        ("image", (3, 8, 8), COLORS),
        ("image", (8, 8, 3), COLORS.reshape(8, 8, 3)),
        ("image", (8, 8, 1), GRAY),
        ("image", (8, 8, 1), GRAY[:, :, None]),
        ("image", (8, 8, 1), GRAY[None]),
        ("image", (8, 8, 1), GRAY.ravel()),
        ("image", (1, 8, 8), GRAY.ravel()),
    ],
)
def test_rows_of_the_shape_of_the_file_are_read(kind: Any, stored: tuple[int, ...], sent: npt.NDArray[Any]) -> None:
    layout = Layout(kind, stored)
    cell = pack(sent.tolist(), layout, 0, 255)
    assert np.frombuffer(cell, layout.dtype).tolist() == sent.ravel().tolist()
    assert pack(nested(cell, layout), layout, 0, 255) == cell


@pytest.mark.parametrize(
    ("kind", "stored", "read_as", "sent", "said"),
    [
        ("array", (3, 8, 8), [8, 8, 3], COLORS.transpose(1, 2, 0), "3 × 8 × 8 numbers; this has 8 × 8 × 3"),
        ("array", (3, 8, 8), [8, 8, 3], COLORS.reshape(2, 96), "3 × 8 × 8 numbers; this has 2 × 96"),
        ("array", (3, 8, 8), [8, 8, 3], COLORS.reshape(3, 4, 16), "3 × 8 × 8 numbers; this has 3 × 4 × 16"),
        ("array", (3, 8, 8), [8, 8, 3], COLORS.ravel(), "3 × 8 × 8 numbers; this has 192"),
        ("array", (1, 8, 8), [8, 8, 1], GRAY.ravel(), "1 × 8 × 8 or 8 × 8 numbers; this has 64"),
        ("array", (64,), [64], GRAY, "64 numbers; this has 8 × 8"),
        ("array", (4, 1, 4), [4, 1, 4], np.arange(16).reshape(4, 4, 1), "4 × 1 × 4 numbers; this has 4 × 4 × 1"),
        ("image", (8, 8, 3), [8, 8, 3], COLORS, "8 × 8 × 3 numbers from 0 to 255, or an image file in base64; this"),
        ("image", (8, 8, 3), [8, 8, 3], COLORS.reshape(4, 16, 3), "this has 4 × 16 × 3"),
        ("image", (8, 8, 3), [8, 8, 3], COLORS.ravel(), "this has 192"),
        ("image", (8, 8, 1), [8, 8, 1], GRAY.reshape(4, 16), "8 × 8 × 1 or 8 × 8 or 64 numbers from 0"),
        ("image", (1, 8, 3), [1, 8, 3], np.arange(24), "this has 24"),
        ("image", (8, 8, 1), [8, 8, 1], GRAY * 10, "one of these is 260"),
    ],
)
def test_other_rows_are_refused_with_both_shapes(
    kind: Any, stored: tuple[int, ...], read_as: list[int], sent: npt.NDArray[Any], said: str
) -> None:
    column = _column(kind, *stored, read_as=read_as)
    good = np.zeros(stored).tolist()
    with pytest.raises(CellError) as refused:
        of(column).cells([good, sent.tolist()], column)
    assert refused.value.row == 1 and said in str(refused.value)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (None, "this is null"),
        (3, "this is a number"),
        ([[1, 2], [3]], "lists of other lengths, or other values"),
        ([["x"] * 2] * 2, "other values than numbers"),
        ([[1, None], [3, 4]], "one of these is no number"),
        ([[1, 2], [3, 10**400]], "other values than numbers"),
        ([], "this has 0"),
    ],
)
def test_what_is_no_array_is_said(sent: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        pack(sent, Layout("array", (2, 2)), -9, 9)
    assert shapes(Layout("array", (2, 2))) == "2 × 2"


def test_pixels_are_rounded_and_what_is_above_zero_stays_so() -> None:
    cell = pack([[0, 0.2], [0.9, 254.7]], Layout("image", (2, 2, 1)), 0, 255)
    assert list(cell) == [0, 1, 1, 255]
