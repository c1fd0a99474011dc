"""Categories: white space, forms of Unicode, near-equal names, numbers that are names."""
# ruff: noqa: RUF001 -- full-width letters are what it tests

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from athanor.contract import Column
from models.data.formats import FORMATS
from models.data.formats.limits import Limits
from models.data.intake import ingest
from models.errors import SpecError
from models.parts.feature import of
from models.parts.features.category import Category, near_equal
from models.parts.features.number import Number
from models.parts.features.text import Text


def _csv(folder: Path, cells: list[str], given: Any = None) -> Column:
    (folder / "t.csv").write_text("x,z\n" + "".join(f'"{cell}",1\n' for cell in cells))
    features = {} if given is None else {"x": given}
    source = FORMATS["csv"](folder / "t.csv", Limits())
    return ingest(source, folder / "rows.parquet", features=features).schema.columns[0]


def test_white_space_and_forms_of_letters_do_not_count(tmp_path: Path) -> None:
    cells = ["red", " red", "red\u00a0", "caf\u00e9", "cafe\u0301", "Red", "\u3000", "red"]
    column = _csv(tmp_path, cells)
    assert (column.classes, column.counts, column.missing) == (["Red", "caf\u00e9", "red"], [1, 2, 4], 1)


def test_near_equal_names_are_told() -> None:
    names = ["Yes", "yes", "no", "ＹＥＳ", "New  York", "new york", "Straße", "STRASSE", "maybe"]
    assert near_equal(names) == [["Yes", "yes", "ＹＥＳ"], ["New  York", "new york"], ["Straße", "STRASSE"]]


@pytest.mark.parametrize(
    ("classes", "sent", "cells"),
    [
        (["1.0", "2.0"], [1, 1.0, "1.0"], ["1.0", "1.0", "1.0"]),
        (["1", "2"], [1, 1.0, "1"], ["1", "1", "1"]),
        (["False", "True"], [True, False], ["True", "False"]),
        (["false", "true"], [True, None], ["true", None]),
        (["01", "02"], ["01", 1], ["01", "1"]),
    ],
)
def test_json_values_are_found_among_the_names_of_the_file(
    classes: list[str], sent: list[Any], cells: list[Any]
) -> None:
    column = Column(name="x", kind="category", classes=classes)
    assert of(column).cells(sent, column).to_pylist() == cells


def test_numbers_and_texts_by_override(tmp_path: Path) -> None:
    assert _csv(tmp_path, ["90210", "10115", "90210"], Category()).classes == ["10115", "90210"]
    assert _csv(tmp_path, ["bad smell", "nice staff"] * 9).kind == "category"
    assert _csv(tmp_path, ["bad smell", "nice staff"] * 9, Text()).words == 36


def test_too_many_values_are_refused_by_name(tmp_path: Path) -> None:
    column = _csv(tmp_path, [str(at) for at in range(1001)], Category())
    with pytest.raises(SpecError, match="at most 1,000") as refused:
        of(column).expect(column, frozenset({"vector"}))
    assert refused.value.pointer == "/dataset/features/x"


def test_words_that_mean_a_missing_value(tmp_path: Path) -> None:
    column = _csv(tmp_path, ["red", " n/a", "blue", "-9", "n/a "] * 4, Category(missing=("n/a", "-9 ", "")))
    assert (column.classes, column.missing) == (["blue", "red"], 12)
    sent = ["red", "n/a", " -9", -9, -9.0, None, "N/A"]
    feature = of(column)
    assert feature.read(feature.cells(sent, column), column).to_pylist() == ["red", *[None] * 5, "N/A"]
    typed = Category(missing=("-9",)).read(pa.array([1, -9, None]), column)
    assert typed.to_pylist() == ["1", None, None]


@pytest.mark.parametrize("kind", [Category, Number])
def test_a_number_of_json_means_a_missing_value_as_its_text_does(kind: type[Category | Number]) -> None:
    given = kind.model_validate({"missing": [-999, -99.5, "n/a"]})
    assert given == kind.model_validate({"missing": ["-999", "-99.5", "n/a"]}) and given.missing[0] == "-999"
    for wrong in (True, None, [1]):
        with pytest.raises(ValidationError):
            kind.model_validate({"missing": [wrong]})
