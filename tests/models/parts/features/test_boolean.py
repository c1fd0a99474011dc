"""Truth values: every spelling is one feature."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from athanor.contract import Column, Schema
from models.data.formats import FORMATS
from models.data.formats.limits import Limits
from models.data.intake import ingest
from models.data.table import Table
from models.parts.feature import CellError, of, read
from models.parts.features.boolean import Boolean


def _column(folder: Path, cells: list[str]) -> tuple[Column, list[Any]]:
    (folder / "t.csv").write_text("x,z\n" + "".join(f'"{cell}",1\n' for cell in cells))
    intake = ingest(FORMATS["csv"](folder / "t.csv", Limits()), folder / "rows.parquet")
    column = intake.schema.columns[0]
    return column, read(Table.open(folder / "rows.parquet", intake.schema), [column]).data["x"].to_pylist()


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["True", "False", "true", "FALSE "], ["True", "False", "True", "False"]),
        (["yes", "yes ", "Yes", "no"], ["yes", "yes", "yes", "no"]),
        (["N", "y", "", "n/a"], ["N", "y", None, None]),
        (["on", "off"], ["on", "off"]),
        (["t", "f"], ["t", "f"]),
        (["1", "0", "true"], ["true", "0", "true"]),
        (["TRUE", "1", "0", "FALSE"], ["TRUE", "TRUE", "FALSE", "FALSE"]),
        (["是", "否", "是"], ["是", "否", "是"]),
        (["有", "无", "有"], ["有", "无", "有"]),
        (["ja", "nein", "无"], ["ja", "nein", None]),
        (["Oui", "Non"], ["Oui", "Non"]),
        (["да", "Нет"], ["да", "Нет"]),
    ],
)
def test_every_spelling(tmp_path: Path, cells: list[str], values: list[Any]) -> None:
    column, found = _column(tmp_path, cells)
    assert (column.kind, found) == ("boolean", values)
    assert column.classes == sorted({value for value in found if value is not None})


@pytest.mark.parametrize(
    "cells", [["0", "1", "1"], ["yes", "yes"], ["n/a", ""], ["no", "se", "dk"], ["y", "x"], ["T", "N"]]
)
def test_what_is_none(tmp_path: Path, cells: list[str]) -> None:
    assert _column(tmp_path, cells)[0].kind != "boolean"


def test_zeros_and_ones_are_numbers_unless_a_user_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x\n0\n1\n1\n")
    source = FORMATS["csv"](tmp_path / "t.csv", Limits())
    (column,) = ingest(source, tmp_path / "rows", features={"x": Boolean()}).schema.columns
    assert (column.classes, column.counts) == (["false", "true"], [1, 2])


@pytest.mark.parametrize("sent", [True, "TRUE", "yes", "Wahr ", 1, "1", 1.0, "Aktiv"])
def test_predict_takes_every_word_and_json_values(sent: Any) -> None:
    column = Column(name="x", kind="boolean", settings={"true": "aktiv", "false": "inaktiv"})
    feature = of(column)
    assert feature.read(feature.cells([sent, False, None], column), column).to_pylist() == ["aktiv", "inaktiv", None]


@pytest.mark.parametrize("sent", ["maybe", 2, [True], {}])
def test_predict_refuses_other_words(sent: Any) -> None:
    column = Column(name="x", kind="boolean")
    with pytest.raises(CellError, match="must be true or false") as refused:
        of(column).cells([True, sent], column)
    assert refused.value.row == 1


@pytest.mark.parametrize("word", ["unknown", "Missing", "未知"])
def test_a_third_answer_is_missing_where_a_user_says_so(tmp_path: Path, word: str) -> None:
    cells = ["Yes", "No", word, "n/a", "yes"] * 3
    column, found = _column(tmp_path, cells)
    assert (column.kind, found) == ("category", cells)
    assert column.guess is not None and repr(word) in column.guess and '{"kind": "boolean"}' in column.guess
    source = FORMATS["csv"](tmp_path / "t.csv", Limits())
    schema = ingest(source, tmp_path / "rows", features={"x": Boolean()}).schema
    chosen = schema.columns[0]
    assert chosen.settings == {"true": "Yes", "false": "No"} and chosen.missing == 6
    uploaded = read(Table.open(tmp_path / "rows", schema), [chosen]).data["x"].to_pylist()
    sent = of(chosen).read(of(chosen).cells(cells, chosen), chosen).to_pylist()
    assert sent == uploaded == ["Yes", "No", None, None, "Yes"] * 3


def test_a_word_for_a_missing_value_is_one_in_predict_too(tmp_path: Path) -> None:
    column, _ = _column(tmp_path, ["yes", "no", "n/a"])
    assert column.guess is None
    assert of(column).read(of(column).cells(["unknown", "n/a", "yes"], column), column).to_pylist() == [
        None,
        None,
        "yes",
    ]


def test_one_number_and_a_mark_for_missing_values() -> None:
    source = pa.table({"x": pa.array(["true", "false", None, "true"])})
    column = Column(name="x", kind="boolean")
    table = Table(Schema(columns=[column]), source)
    every = of(column).fit(table, column, np.arange(4), frozenset({"vector"}))
    assert every.encode(table).tolist() == [[1, 0], [0, 0], [0, 1], [1, 0]]
    known = of(column).fit(table, column, np.array([0, 1]), frozenset({"vector"}))
    assert known.encode(table).tolist() == [[1], [0], [0], [1]]


def test_the_words_differ() -> None:
    with pytest.raises(ValidationError, match="different words"):
        Boolean(true="Yes", false="yes ")
