"""Parquet."""

import io
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from models.data.formats import parquet
from models.data.formats.limits import Limits, OverLimit
from models.data.intake import ReadHints, ingest
from models.data.table import Layout
from models.errors import DataError


def _write(tmp_path: Path, columns: dict[str, Any]) -> Path:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def test_types(tmp_path: Path) -> None:
    columns = {
        "whole": [1, None],
        "text": ["a", "b"],
        "category": pa.array(["a", "b"]).dictionary_encode(),
        "day": [date(2020, 1, 2), None],
        "tokens": [["a"], []],
        "vector": pa.array([[1.0, 2.0], None]),
    }
    source = parquet.read(_write(tmp_path, columns), Limits())
    [batch] = source.batches
    assert source.layouts == {"vector": Layout("array", (2,))}
    rows = batch.to_pylist()
    assert np.frombuffer(rows[0].pop("vector"), np.float32).tolist() == [1, 2]
    assert rows[0] == {"whole": 1, "text": "a", "category": "a", "day": "2020-01-02", "tokens": ["a"]}
    assert rows[1] == {"whole": None, "text": "b", "category": "b", "day": None, "tokens": [], "vector": None}


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Column 'a' .* has the type struct"):
        parquet.read(_write(tmp_path, {"a": [{"b": 1}]}), Limits())
    with pytest.raises(DataError, match="Row 2, column 'a': 1 numbers, but other rows have 2"):
        list(parquet.read(_write(tmp_path, {"a": [[1, 2], [1]]}), Limits()).batches)
    with pytest.raises(DataError, match="Row 3, column 'a': 1 numbers, but other rows have 2"):
        list(parquet.read(_write(tmp_path, {"a": [None, [[1, 2], [3, 4]], [[1, 2], [1]]]}), Limits()).batches)
    with pytest.raises(DataError, match="only empty lists"):
        parquet.read(_write(tmp_path, {"a": pa.array([[], [[]]], pa.list_(pa.list_(pa.int8())))}), Limits())
    with pytest.raises(DataError, match="cannot be used"):
        parquet.read(_write(tmp_path, {"a": [[[[[1]]]]]}), Limits())
    with pytest.raises(OverLimit, match="max_rows is 1"):
        parquet.read(_write(tmp_path, {"a": [1, 2]}), Limits(max_rows=1))


@pytest.mark.parametrize("is_fixed", [False, True])
def test_nested_lists_are_arrays(is_fixed: bool, tmp_path: Path) -> None:
    values = np.arange(48, dtype=np.float32).reshape(2, 3, 2, 4)
    kind = pa.list_(pa.list_(pa.list_(pa.float32(), 4), 2), 3) if is_fixed else pa.list_(pa.list_(pa.list_(pa.int64())))
    cells = pa.array([None, *values.tolist()], kind, from_pandas=True)
    source = parquet.read(_write(tmp_path, {"x": cells}), Limits())
    [batch] = source.batches
    assert source.layouts == {"x": Layout("array", (3, 2, 4))}
    assert batch["x"].to_pylist() == [None, values[0].tobytes(), values[1].tobytes()]


def test_nonsense_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1" + b"\xff" * 100 + b"PAR1")
    with pytest.raises(DataError, match="cannot be read"):
        parquet.read(path, Limits())


def test_damaged_pages_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path, {"a": np.random.default_rng(0).normal(size=1000)})
    data = bytearray(path.read_bytes())
    data[4:60] = b"\xff" * 56
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        list(parquet.read(path, Limits()).batches)


def _png(level: int, size: tuple[int, int] = (4, 3)) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", size, (level, 0, 0)).save(held, "PNG")
    return held.getvalue()


def _hub(tmp_path: Path, cells: list[Any], labels: list[int], **more: Any) -> Path:
    """A file as the `datasets` library writes it."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    about = {"info": {"features": {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["a", "b"]}}}}
    table = pa.table({"image": pa.array(cells, kind), "label": labels})
    path = tmp_path / "a.parquet"
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(about)}), path, **more)
    return path


def test_pictures_of_the_hub(tmp_path: Path) -> None:
    cells = [{"bytes": _png(level, (4 + level % 2, 3)), "path": f"{level}.png"} for level in range(9)]
    source = parquet.read(_hub(tmp_path, cells, [0, 1, -1] * 3, row_group_size=4), Limits())
    rows = [row for batch in source.batches for row in batch.to_pylist()]
    assert source.layouts == {"image": Layout("image", (3, 4, 3), {"resize": "pad", "ground": 255})}
    assert [row["image"][0] for row in rows] == list(range(9))
    assert (source.target, [row["label"] for row in rows]) == ("label", ["a", "b", None] * 3)
    assert [(warned.code, warned.rows) for warned in source.warnings] == [("resized_images", [2, 4, 6, 8])]


def test_pictures_in_bytes_with_a_hint(tmp_path: Path) -> None:
    hints = ReadHints.model_validate({"features": {"scan": {"kind": "image", "size": [2, 5]}}})
    source = parquet.read(_write(tmp_path, {"scan": [_png(1), _png(7)], "y": [0, 1]}), Limits(), hints)
    [batch] = source.batches
    assert source.layouts["scan"].shape == (2, 5, 3)
    assert [cell[0] for cell in batch["scan"].to_pylist()] == [1, 7]


def test_rows_without_a_whole_picture_are_left_out(tmp_path: Path) -> None:
    cells = [{"bytes": _png(1)}, {"bytes": None, "path": "b.png"}, None, {"bytes": _png(4)[:45]}, {"bytes": _png(5)}]
    source = parquet.read(_hub(tmp_path, cells, [0, 1, 0, 1, 0]), Limits())
    [batch] = source.batches
    assert [row[0] for row in batch["image"].to_pylist()] == [1, 5]
    assert (source.skipped, source.warnings[-1].code) == ([2, 3, 4], "damaged_images")


def test_bytes_that_are_no_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No cell of column 'a' holds the bytes of a"):
        parquet.read(_write(tmp_path, {"a": [b"x", b"y"]}), Limits())
    with pytest.raises(DataError, match="Row 2, column 'label': there is no class 2"):
        list(parquet.read(_hub(tmp_path, [{"bytes": _png(1)}] * 2, [0, 2]), Limits()).batches)
    with pytest.raises(OverLimit, match="max_image_pixels is 11"):
        parquet.read(_hub(tmp_path, [{"bytes": _png(1)}], [0]), Limits(max_image_pixels=11))


def test_numbers_in_a_dictionary_are_categories(tmp_path: Path) -> None:
    columns = {
        "whole": pa.array([*range(30), *range(30), None], pa.int64()).dictionary_encode(),
        "floating": pa.array([0.5, 1.5, 2.5] * 20 + [0.5]).dictionary_encode(),
        "word": pa.array(["1", "2", "3"] * 20 + ["1"]).dictionary_encode(),
        "number": [*range(61)],
    }
    intake = ingest(parquet.read(_write(tmp_path, columns), Limits()), tmp_path / "rows")
    assert [column.kind for column in intake.schema.columns] == ["category", "category", "category", "number"]
    assert intake.schema.columns[0].classes == [str(number) for number in range(30)]
    assert intake.schema.columns[1].classes == ["0.5", "1.5", "2.5"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_durations_are_seconds_and_said(tmp_path: Path, unit: str) -> None:
    lasted = pa.array([timedelta(seconds=90), None, timedelta(milliseconds=-2000)], pa.duration(unit))
    source = parquet.read(_write(tmp_path, {"d": lasted}), Limits())
    assert [row for batch in source.batches for row in batch.to_pylist()] == [{"d": 90.0}, {"d": None}, {"d": -2.0}]
    (warned,) = source.warnings
    assert (warned.code, warned.column) == ("durations", "d")
    assert warned.message == "column 'd': 2 durations are read as numbers of seconds"
