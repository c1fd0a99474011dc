"""Tables: columns in the form their kind has."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from athanor.contract import Column, Schema
from models.data.table import Layout, Table
from tests import small


def test_numbers_and_strings(tmp_path: Path) -> None:
    columns = {
        "whole": pa.array([3, None, 5], pa.int64()),
        "real": pa.array([0.5, 2.0, None]),
        "word": pa.array(["a", None, "b"]),
        "words": pa.array([["a", "b"], [], None], pa.list_(pa.string())),
    }
    table = small.ingested(tmp_path / "t", columns, target=None)
    assert table.rows == 3
    np.testing.assert_array_equal(table.numbers("whole"), [3, np.nan, 5])
    np.testing.assert_array_equal(table.numbers("real"), [0.5, 2, np.nan])
    assert table.strings("whole") == ["3", None, "5"]
    assert table.strings("word") == ["a", None, "b"]
    assert table.tokens("words") == [["a", "b"], [], None]
    assert table.column("whole").integer and not table.column("real").integer
    with pytest.raises(StopIteration):
        table.column("none")


def test_images_and_arrays(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (5, 4, 3, 2), dtype=np.uint8)
    floats = rng.standard_normal((5, 2, 3)).astype(np.float32)
    columns = {"image": small.pictures(pixels), "array": pa.array([row.tobytes() for row in floats], pa.binary(24))}
    layouts = {"image": Layout("image", (4, 3, 2)), "array": Layout("array", (2, 3))}
    table = small.ingested(tmp_path / "t", columns, layouts, target=None)
    np.testing.assert_array_equal(table.arrays("image", layouts["image"]), pixels)
    np.testing.assert_array_equal(table.arrays("array", layouts["array"]), floats)
    # Rows from the middle, and rows in several pieces.
    middle = Table(table.schema, table.data.slice(1, 3))
    np.testing.assert_array_equal(middle.arrays("image", layouts["image"]), pixels[1:4])
    pieces = pa.concat_tables([table.data.slice(3), table.data.slice(0, 2)])
    np.testing.assert_array_equal(Table(table.schema, pieces).arrays("array", layouts["array"]), floats[[3, 4, 0, 1]])


@pytest.mark.parametrize(("kind", "width"), [("image", 24), ("array", 96)])
def test_widths(kind: str, width: int) -> None:
    assert Layout("image" if kind == "image" else "array", (4, 3, 2)).width == width


def test_a_table_of_nothing() -> None:
    table = Table(Schema(columns=[Column(name="a", kind="number")]), pa.table({"a": pa.array([], pa.float64())}))
    assert table.rows == 0 and table.numbers("a").shape == (0,)
