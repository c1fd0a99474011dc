"""Classes as numbers, and outputs as labels."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.data.intake import ingest
from models.data.preparation.choice import DatasetChoice
from models.data.preparation.encoders import TensorEncoder
from models.data.preparation.examples import fit_target
from models.data.preparation.roles import assign
from models.data.table import Source
from models.errors import SpecError
from models.parts.architectures.linear import Linear
from models.parts.features.category import Category
from models.parts.targets.classes import FittedClasses
from tests import small

UNUSED = TensorEncoder(columns=[])


def test_classes_are_numbered_as_the_schema_has_them(tmp_path: Path) -> None:
    table = small.ingested(tmp_path / "t", {"x": pa.array([1.5, 2.5] * 3), "target": pa.array([10, 9, 2, 10, 9, 2])})
    roles = assign(DatasetChoice(id="x"), table.schema, Linear())
    target = fit_target(table, roles, np.array([0, 1]), UNUSED)
    assert isinstance(target, FittedClasses)
    # A class that the training rows lack has its place all the same.
    assert target.classes == ["2", "9", "10"]
    assert target.encode(table, np.array([0, 2, 1])).tolist() == [2, 0, 1]
    assert target.outputs == 3


@pytest.mark.parametrize(
    ("values", "message"), [(["x", "x"], "'target' has one value only"), ([None, None], "'target' has no values")]
)
def test_a_column_without_two_values_is_refused(values: list[str | None], message: str, tmp_path: Path) -> None:
    columns = {"x": pa.array([1.5, 2.5]), "target": pa.array(values, pa.string())}
    table = small.ingested(tmp_path / "t", columns)
    with pytest.raises(SpecError) as refused:
        assign(DatasetChoice(id="x", target="target"), table.schema, Linear())
    assert (refused.value.pointer, refused.value.message) == ("/dataset/target", message)
    assert "choose another target column" in (refused.value.suggestion or "")


def test_labels_and_probabilities() -> None:
    y_NK = torch.tensor([[0.0, np.log(3.0)], [1000.0, 0.0]])
    first, second = FittedClasses(name="t", classes=["no", "yes"]).decode(y_NK, [])
    assert first == {"label": "yes", "probabilities": pytest.approx({"no": 0.25, "yes": 0.75})}
    assert second == {"label": "no", "probabilities": {"no": 1.0, "yes": 0.0}}


def test_what_is_no_number_has_no_label() -> None:
    y_NK = torch.tensor([[0.0, torch.nan], [0.0, torch.inf], [1.0, 0.0]])
    answers = FittedClasses(name="t", classes=["no", "yes"]).decode(y_NK, [])
    assert [answer["label"] for answer in answers] == [None, None, "no"]


@pytest.mark.parametrize(
    ("name", "classes", "rows", "task"),
    [
        ("label", 100, 600, "classification"),
        ("class", 21, 300, "classification"),
        # Quantities: by their name, too few rows each, a number left out, or too many values.
        ("y", 100, 600, "regression"),
        ("label", 100, 300, "regression"),
        ("label", 101, 2020, "regression"),
    ],
)
def test_many_whole_numbers_are_classes_if_they_are_named_and_numbered_so(
    name: str, classes: int, rows: int, task: str, tmp_path: Path
) -> None:
    numbers = [str(at % classes) for at in range(rows)]
    columns = {"x": pa.array([2.5] + [1.5] * (rows - 1)), name: pa.array(numbers).cast(pa.int64())}
    table = small.ingested(tmp_path / "t", columns)
    assert assign(DatasetChoice(id="x", target=name), table.schema, Linear()).task == task
    gap = [number if number != "3" else str(classes) for number in numbers]
    apart = {"x": pa.array([2.5] + [1.5] * (rows - 1)), name: pa.array(gap).cast(pa.int64())}
    schema = small.ingested(tmp_path / "u", apart).schema
    assert assign(DatasetChoice(id="x", target=name), schema, Linear()).task == "regression"


def test_the_limit_on_classes_is_named(tmp_path: Path) -> None:
    columns = {
        "x": pa.array([1.5] * 2002),
        "number": pa.array(range(2002)),
        "word": pa.array([f"w{at // 2}" for at in range(2002)]),
    }
    given = {"word": Category(), "number": Category()}
    for target, features, said in (
        (
            "number",
            {},
            "more than 1,000 distinct whole numbers; more than 100 are classes only as a category, up to 1,000",
        ),
        ("word", given, "more than 1,000 distinct values"),
        ("number", given, "more than 1,000 distinct values"),
    ):
        source = Source(iter([pa.record_batch(columns)]))
        schema = ingest(source, tmp_path / "rows", features=features).schema
        choice = DatasetChoice(id="x", target=target, inputs=["x"], task="classification")
        with pytest.raises(SpecError) as refused:
            assign(choice, schema, Linear())
        assert said in refused.value.message
