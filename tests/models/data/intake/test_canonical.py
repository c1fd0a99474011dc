"""Batches that a thread makes ahead of the look at them, and the column that is suggested as target."""

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
from tests.models.data.checks.tables import LABELS, NOISE, csv, taken


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


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        ({"文本": NOISE, "标签": LABELS, "来源": LABELS}, "标签"),
        ({"Outcome": [0, 1] * 200, "Age": [20 + at % 50 for at in range(400)]}, "Outcome"),
        ({"x": NOISE, "cls": LABELS, "split": ["train", "test"] * 200}, "cls"),
        ({"x": NOISE, "cls": LABELS, "fold": [0, 1, 2, 3] * 100}, "cls"),
        ({"x": NOISE, "cls": LABELS, "user_id": [7 * at for at in range(400)]}, "cls"),
        ({"x": NOISE, "cls": LABELS, "country": ["same"] * 400}, "cls"),
        ({"x": NOISE, "cls": LABELS, "zone_code": [1, 2] * 200}, "zone_code"),
        ({"x": NOISE, "cls": LABELS, "amount_paid": [7 * at for at in range(400)]}, "amount_paid"),
        ({"x": NOISE, "cls": LABELS, "body_mass_index": [20 + at / 10 for at in range(400)]}, "body_mass_index"),
    ],
)
def test_no_part_and_no_identifier_is_suggested_as_target(
    tmp_path: Path, columns: dict[str, list[object]], target: str
) -> None:
    assert taken(tmp_path, csv(columns)).schema.target == target
