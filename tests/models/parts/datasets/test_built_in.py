"""Every built-in set."""

from pathlib import Path

import pytest

from models.data.intake import ingest
from models.data.table import Table
from models.parts.dataset import DATASETS

ROWS = {"digits": 1797, "iris": 150, "wine": 178, "breast_cancer": 569, "diabetes": 442}


@pytest.mark.parametrize("kind", [*ROWS, "docstrings"])
def test_sets_are_always_the_same(kind: str, tmp_path: Path) -> None:
    intakes = [ingest(DATASETS[kind](kind=kind).source(), tmp_path / name) for name in ("a", "b")]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert intakes[0] == intakes[1]
    assert intakes[0].rows == ROWS.get(kind, intakes[0].rows)
    assert intakes[0].schema.target == ("package" if kind == "docstrings" else "target")


def test_kinds_of_columns(tmp_path: Path) -> None:
    digits = ingest(DATASETS["digits"](kind="digits").source(), tmp_path / "digits")
    assert [(column.kind, column.shape) for column in digits.schema.columns] == [
        ("image", [8, 8, 1]),
        ("category", None),
    ]
    assert (digits.schema.columns[0].max, digits.schema.columns[1].classes) == (16, list("0123456789"))
    diabetes = ingest(DATASETS["diabetes"](kind="diabetes").source(), tmp_path / "diabetes")
    assert {column.kind for column in diabetes.schema.columns} == {"number"}
    iris = ingest(DATASETS["iris"](kind="iris").source(), tmp_path / "iris")
    assert iris.schema.columns[-1].classes == ["setosa", "versicolor", "virginica"]


def test_docstrings_are_many_even_and_told_apart(tmp_path: Path) -> None:
    intake = ingest(DATASETS["docstrings"](kind="docstrings").source(), tmp_path / "docstrings")
    text, package = intake.schema.columns
    assert (text.kind, package.kind, package.distinct) == ("text", "category", 10)
    assert intake.rows >= 3000
    assert package.counts is not None
    assert max(package.counts) <= 800
    sentences = Table.open(tmp_path / "docstrings", intake.schema).strings("text")
    assert len(set(sentences)) == len(sentences)
    assert all(4 <= len(sentence.split()) <= 40 for sentence in sentences if sentence is not None)
