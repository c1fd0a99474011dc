"""A table, divided and encoded."""

from pathlib import Path

import pyarrow as pa
import pytest
import torch

from models.data.formats.limits import Limits
from models.data.intake.description import describe
from models.data.preparation.choice import DatasetChoice
from models.data.preparation.examples import Preparation, Prepared, prepare
from models.data.preparation.roles import assign
from models.data.preparation.split import divide
from models.data.table import Table
from models.errors import DataError
from models.parts.architecture import Architecture, InputKind
from models.parts.architectures.cnn import CNN
from models.parts.architectures.linear import Linear
from models.parts.architectures.textcnn import TextCNN
from models.parts.features.text import Text
from models.parts.inputs import only
from models.parts.splits.given import Given
from models.parts.splits.holdout import Holdout
from models.planning.resolve import resolve
from models.planning.spec import JobSpec
from tests import small

FITTING: dict[InputKind, Architecture] = {"vector": Linear(), "image": CNN(), "text": TextCNN()}


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("kind", FITTING)
def test_parts_and_round_trip(kind: InputKind, task: str, tmp_path: Path) -> None:
    table = small.table(kind, tmp_path / "t", task=task)
    roles = assign(DatasetChoice(id="x"), table.schema, FITTING[kind])
    assert roles.task == task
    prepared = prepare(table, roles, Holdout())
    assert (len(prepared.train), len(prepared.val), len(prepared.test)) == (32, 4, 4)
    again = Preparation.model_validate_json(prepared.preparation.model_dump_json())
    assert again == prepared.preparation
    assert type(again.encoder) is type(prepared.preparation.encoder)
    division = divide(Holdout(), table, roles)
    for rows, part in ((division.train, prepared.train), (division.val, prepared.val), (division.test, prepared.test)):
        assert torch.equal(small.single(again.encoder.encode(table))[torch.from_numpy(rows)], small.single(part.x))
        assert torch.equal(again.target.encode(table, rows), part.t)
        assert small.single(part.to(torch.device("cpu")).x).shape[1:] == only(again.named_inputs()).shape
    assert small.single(prepared.train.x).dtype == (torch.int64 if kind == "text" else torch.float32)


@pytest.mark.parametrize("is_strange", [True, False])
def test_words_that_no_training_row_has_are_told(is_strange: bool, tmp_path: Path) -> None:
    train = ["one two three four five six"] * 30
    held = ["one two seven" if is_strange else "one two three"] * 9 + ["one " * 12]
    content = {"text": pa.array(train + held), "label": pa.array(["a", "b"] * 20)}
    content["part"] = pa.array(["train"] * 30 + ["val"] * 5 + ["test"] * 5)
    table = small.ingested(tmp_path / "t", content)
    feature = Text.model_validate({"max_length": 10})
    (column,) = describe(tmp_path / "t", {"text": feature}, table.schema.columns[:1], Limits())
    table = Table(table.schema.model_copy(update={"columns": [column, *table.schema.columns[1:]]}), table.data)
    split = Given(column="part")
    roles = assign(DatasetChoice(id="x", input="text", target="label", split=split), table.schema, TextCNN())
    prepared = prepare(table, roles, split, is_inspected=True)
    told = {each.code: each for each in prepared.warnings}
    assert prepared.unknown_words() == ({"val": 5 / 15, "test": 4 / 22} if is_strange else {"val": 0, "test": 0})
    assert "1 of 10 rows have more than 10 words" in told["cut_texts"].message and told["cut_texts"].rows == [40]
    assert ("unknown_words" in told) == is_strange
    if is_strange:
        assert told["unknown_words"].rows[0] == 31 and "'seven'" in told["unknown_words"].message


def _weighed(tmp_path: Path, weights: list[float], **split: float) -> Prepared:
    rows = len(weights)
    content = {
        "x": pa.array([float(at) for at in range(rows)]),
        "people": pa.array(weights),
        "target": pa.array(["a", "b"] * (rows // 2)),
    }
    table = small.ingested(tmp_path / "t", content)
    dataset = {"id": "x", "weight": "people", "inputs": ["x"], "split": {"kind": "holdout", **split}}
    said = {"architecture": {"kind": "linear"}, "dataset": dataset}
    resolved = resolve(JobSpec.model_validate(said), table.schema, table.rows)
    return prepare(table, resolved.roles_in(table.schema), resolved.spec.dataset.split, is_inspected=True)


def test_a_row_with_most_of_the_weight_is_told(tmp_path: Path) -> None:
    for name, weights, rows in (("one", [*[2.0] * 39, 1e30], [40]), ("even", [2.0, 3.0] * 20, [])):
        (tmp_path / name).mkdir()
        warnings = _weighed(tmp_path / name, weights, val=0, test=0).warnings
        heavy = [each for each in warnings if each.code == "heavy_row"]
        assert [row for each in heavy for row in each.rows] == rows and all(each.column == "people" for each in heavy)


def test_weights_have_the_mean_one_in_every_part(tmp_path: Path) -> None:
    made = _weighed(tmp_path, [float(1 + at % 7) for at in range(60)])
    for part in (made.train, made.val, made.test):
        assert part.w is not None and len(part.w) == len(part) > 0
        assert float(part.w.mean()) == pytest.approx(1, rel=1e-6)


@pytest.mark.filterwarnings("error")
def test_weights_that_are_all_zero_or_wrong_are_refused_first(tmp_path: Path) -> None:
    """A given part can have such rows, although the column has others."""
    content = {
        "x": pa.array([float(at) for at in range(20)]),
        "people": pa.array([0.0] * 14 + [1.0] * 6),
        "part": pa.array(["train"] * 14 + ["val"] * 3 + ["test"] * 3),
        "target": pa.array(["a", "b"] * 10),
    }
    table = small.ingested(tmp_path / "t", content)
    dataset = {"id": "x", "weight": "people", "inputs": ["x"], "split": {"kind": "given", "column": "part"}}
    resolved = resolve(
        JobSpec.model_validate({"architecture": {"kind": "linear"}, "dataset": dataset}), table.schema, table.rows
    )
    with pytest.raises(DataError, match="All 14 rows of the training part have the weight 0"):
        prepare(table, resolved.roles_in(table.schema), resolved.spec.dataset.split, is_inspected=True)
