"""Parquet."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.data.formats import parquet
from models.data.formats.limits import Limits, OverLimit
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
    with pytest.raises(OverLimit, match="max_rows is 1"):
        parquet.read(_write(tmp_path, {"a": [1, 2]}), Limits(max_rows=1))


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
