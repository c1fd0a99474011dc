"""Rows are far from the training rows, not from rows that no job learns from, such as a total."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from models.data.preparation.choice import DatasetChoice
from models.data.preparation.encoders import TensorEncoder
from models.data.preparation.examples import prepare
from models.data.preparation.roles import Roles, assign
from models.data.table import Layout, Table
from models.parts.architecture import ARCHITECTURES
from models.parts.feature import read
from models.parts.splits.given import Given
from tests import small

ROWS = 12
USUAL = np.linspace(0, 1, ROWS * 4).reshape(ROWS, 2, 2).astype(np.float32)
TOTAL = 40 * USUAL[-1:]


def _table(kind: str, path: Path) -> tuple[Table, Roles]:
    """Training rows of numbers from 0 to 1, and a last row of another part that has larger ones."""
    cells: Any = np.concatenate([USUAL, TOTAL])
    labels = pa.array(["a", "b"] * 6 + ["a"])
    parts = pa.array(["train"] * ROWS + ["test"])
    if kind == "number":
        columns, layouts = {"x": pa.array(cells[:, 1, 1].astype(np.float64))}, {}
    elif kind == "array":
        columns = {"x": pa.array([cell.tobytes() for cell in cells], pa.binary(16))}
        layouts = {"x": Layout("array", (2, 2))}
    else:
        columns, layouts = (
            {"x": small.pictures((cells[..., None] * 6).astype(np.uint8))},
            {"x": Layout("image", (2, 2, 1))},
        )
    table = small.ingested(path, columns | {"part": parts, "target": labels}, layouts, part="part")
    choice = DatasetChoice(id="x", inputs=["x"], target="target", split=Given())
    network = ARCHITECTURES["cnn" if kind == "image" else "linear"].model_validate({})
    return table, assign(choice, table.schema, network)


def _far(encoder: TensorEncoder, table: Table, roles: Roles) -> list[int]:
    odd = encoder.first.odd(read(table, roles.inputs), roles.inputs[0])
    return [row for each in odd if each.code == "far_from_training" for row in each.rows]


@pytest.mark.parametrize("kind", ["number", "array", "image"])
def test_rows_of_other_parts_do_not_count(kind: str, tmp_path: Path) -> None:
    table, roles = _table(kind, tmp_path / "t")
    prepared = prepare(table, roles, Given(), is_inspected=True)
    encoder = prepared.preparation.encoder
    assert isinstance(encoder, TensorEncoder) and _far(encoder, table, roles) == [ROWS]
    (warned,) = [each for each in prepared.warnings if each.code == "far_from_training"]
    assert warned.rows == [ROWS + 1] and "training rows, which go from 0" in warned.message


@pytest.mark.parametrize("kind", ["number", "array", "image"])
def test_a_fork_knows_what_both_trainings_have_seen(kind: str, tmp_path: Path) -> None:
    table, roles = _table(kind, tmp_path / "t")
    encoder = TensorEncoder.fit(read(table, roles.inputs), roles.only, np.arange(ROWS))
    later = encoder.after(read(table, roles.inputs), np.array([ROWS]))
    assert _far(later, table, roles) == [] and later.first.model_dump(exclude={"reach"}) == encoder.first.model_dump(
        exclude={"reach"}
    )
    assert TensorEncoder.model_validate_json(later.model_dump_json()) == later


@pytest.mark.parametrize("kind", ["number", "array", "image"])
def test_an_encoder_that_does_not_know_its_reach_encodes_as_before(kind: str, tmp_path: Path) -> None:
    table, roles = _table(kind, tmp_path / "t")
    encoder = TensorEncoder.fit(read(table, roles.inputs), roles.only, np.arange(ROWS))
    told = encoder.model_dump(mode="json")
    del told["columns"][0]["reach"]
    older = TensorEncoder.model_validate(told)
    assert _far(older, table, roles) == []
    cells = read(table, roles.inputs)
    assert older.encode(cells).equal(encoder.encode(cells))
