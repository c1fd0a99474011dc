"""Batches that a thread makes ahead of the look at them."""

import threading
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pyarrow as pa
import pytest

from models.data.formats.limits import Limits, OverLimit
from models.data.intake import ingest
from models.data.table import Source
from models.errors import DataError


def test_batches_are_made_ahead_and_an_error_of_either_side_arrives(tmp_path: Path) -> None:
    batch = pa.record_batch({"a": ["x"]})

    def broken() -> Iterator[pa.RecordBatch]:
        yield batch
        raise DataError("row 2 is broken")

    before = threading.active_count()
    with pytest.raises(DataError, match="row 2"):
        ingest(Source(broken()), tmp_path / "a")
    with pytest.raises(OverLimit, match="too many rows"):
        ingest(Source(repeat(batch)), tmp_path / "b", Limits(max_rows=100_000))
    assert threading.active_count() == before
    assert not list(tmp_path.iterdir())
