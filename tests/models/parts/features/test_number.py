"""Numbers as people write them: what is read, what is a guess, what is no number."""
# ruff: noqa: RUF001 -- full-width letters are what it tests

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from athanor.contract import Column
from models.data.formats import FORMATS
from models.data.formats.limits import Limits
from models.data.intake import ingest
from models.data.table import Table
from models.parts.feature import CellError, of, read
from models.parts.features.number import Number


def _column(folder: Path, cells: list[str], name: str = "x", other: str = "") -> tuple[Column, list[Any]]:
    """The description of a column of a CSV, and its cells as the feature reads them."""
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    (folder / "t.csv").write_text(f"{name},z\n" + "".join(f'{cell},"{other}"\n' for cell in quoted))
    intake = ingest(FORMATS["csv"](folder / "t.csv", Limits()), folder / "rows.parquet")
    column = intake.schema.columns[0]
    return column, read(Table.open(folder / "rows.parquet", intake.schema), [column]).data[name].to_pylist()


@pytest.mark.parametrize(
    ("cells", "values", "settings"),
    [
        (["28,7", "3", "-0,5"], [28.7, 3, -0.5], {"decimal": ","}),
        (["1,234,567", "12", "1,5e3"], None, None),
        (["1,234,567", "12"], [1_234_567, 12], {}),
        (["1,234.5", "1,000"], [1234.5, 1000], {}),
        (["1.234,5", "2.000"], [1234.5, 2000], {"decimal": ","}),
        (["1.234.567", "2,5"], [1_234_567, 2.5], {"decimal": ","}),
        (["1 234,5", "12\u202f345", "7\u00a0000"], [1234.5, 12345, 7000], {"decimal": ","}),
        (["1'234.5", "10’000"], [1234.5, 10_000], {}),
        (["12,34,567.8", "1,00,000"], [1_234_567.8, 100_000], {}),
        (["$12.50", "-$3", "$1,200.00"], [12.5, -3, 1200], {"unit": "$"}),
        (["€ 12,50", "€ 1.200,00"], [12.5, 1200], {"decimal": ",", "unit": "€"}),
        (["12,50 €", "-3,00 €", "4"], [12.5, -3, 4], {"decimal": ",", "unit": "€"}),
        (["USD 5", "USD 7.25"], [5, 7.25], {"unit": "USD"}),
        (["45%", "3.5 %", "100%"], [45, 3.5, 100], {"unit": "%"}),
        (["12 kg", "3.5 kg", "0.1kg"], [12, 3.5, 0.1], {"unit": "kg"}),
        (["5 m²", "7.5 m²"], [5, 7.5], {"unit": "m²"}),
        (["3 €/kg", "4.5 €/kg"], [3, 4.5], {"unit": "€/kg"}),
        (["(1,234.50)", "12"], [-1234.5, 12], {}),
        (["−5", "–3.2", "+4"], [-5, -3.2, 4], {}),
        (["１２３", "４．５", "－７"], [123, 4.5, -7], {}),
        (["१२.५", "३"], [12.5, 3], {}),
        (["٣٫٥", "١٢"], [3.5, 12], {}),
        (["1.5", "-", "n/a", "#N/A", "无", "nan", ".", "NULL"], [1.5, *[None] * 7], {}),
        (["$5.5", "N/A", "$6"], [5.5, None, 6], {"unit": "$"}),
        (["1.5", "#NULL!", "#NUM!", "#NAME?", "#NV", "#ERROR!", "(null)", "N.A.", ":"], [1.5, *[None] * 8], {}),
        (["1.5", "…", "—", "——", "---", "/", "未知", "不详", "暂无", "无数据", "k.A."], [1.5, *[None] * 10], {}),
        (["1.5", "unknown", "Missing"], [1.5, None, None], {}),
        (["4.835,97-", "12,00", "1,50-"], [-4835.97, 12, -1.5], {"decimal": ","}),
        (["120.00- EUR", "7.50 EUR"], [-120, 7.5], {"unit": "EUR"}),
        (["\u200b1.5", "2\ufeff", "\ufeff3.25\u200b", "\u200b"], [1.5, 2, 3.25, None], {}),
        # No numbers: codes, several units, words with a number, other notations.
        (["01234", "98765"], None, None),
        (["12 kg", "3 g"], None, None),
        (["$5", "€7"], None, None),
        (["A1", "A2"], None, None),
        (["1-", "2", "3-"], None, None),
        (["300", "400", "650-"], None, None),
        (["-4.50-", "2.50"], None, None),
        (["5a", "6a"], None, None),
        (["3 doors", "5 doors"], None, None),
        (["1,2,3", "4,5,6"], None, None),
        (["192.168.1.1", "10.0.0.1"], None, None),
        (["0x1F", "0x20"], None, None),
        (["(5", "6"], None, None),
        (["5 - 7", "6 - 9"], None, None),
    ],
)
def test_what_is_written_is_read(
    tmp_path: Path, cells: list[str], values: list[Any] | None, settings: dict[str, Any] | None
) -> None:
    column, found = _column(tmp_path, cells)
    if values is None:
        assert column.kind != "number"
        return
    assert (column.kind, column.settings, found) == ("number", settings, values)
    assert column.integer == all(value is None or value == int(value) for value in values)


@pytest.mark.parametrize(("cell", "value"), [("65-", None), ("650-", None), ("4.50-", -4.5), ("-65", -65)])
def test_a_minus_behind_a_few_digits_is_refused(cell: str, value: float | None) -> None:
    """Also where the column was read as numbers before."""
    column = Column(name="x", kind="number")
    if value is None:
        with pytest.raises(CellError):
            of(column).cells([cell], column)
    else:
        found = of(column).read(pa.array(of(column).cells([cell], column)), column)
        assert found.cast(pa.float64()).to_pylist() == [value]


def test_many_numbers_with_an_unknown_unit_are_a_guess(tmp_path: Path) -> None:
    column, found = _column(tmp_path, [f"{at} Stück" for at in range(40)])
    assert (column.kind, column.settings, found) == ("number", {"unit": "Stück"}, list(range(40)))
    assert column.guess is not None and "'Stück' is read as a unit" in column.guess


def test_a_mark_that_may_be_either_is_a_guess_until_something_settles_it(tmp_path: Path) -> None:
    cells = ["1,234", "5,678", "900"]
    column, found = _column(tmp_path, cells)
    assert found == [1234, 5678, 900]
    assert column.guess is not None and "decimal" in column.guess
    # Another column of the file shows a decimal mark.
    for other, values in (("2.5", [1234, 5678, 900]), ("2,5", [1.234, 5.678, 900])):
        column, found = _column(tmp_path, cells, other=other)
        assert (found, column.guess) == (values, None)
    column, found = _column(tmp_path, ["1.234", "5.678"])
    assert (found, column.guess, column.settings) == ([1.234, 5.678], None, {}), "a plain numeral is no guess"
    column, found = _column(tmp_path, ["1.234", "5.678"], other="2,5")
    assert (found, column.integer) == ([1.234, 5.678], False), "points may be points beside commas"


def test_a_user_settles_what_the_column_leaves_open(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('x\n"1,234 kg"\n"5,6 kg"\nlost\n')
    told = Number.model_validate({"kind": "number", "missing": ["lost"]})
    for given, values in ((told.model_copy(update={"decimal": ",", "unit": "kg"}), [1.234, 5.6, None]),):
        source = FORMATS["csv"](tmp_path / "t.csv", Limits())
        intake = ingest(source, tmp_path / "rows.parquet", features={"x": given})
        table = Table.open(tmp_path / "rows.parquet", intake.schema)
        assert read(table, intake.schema.columns).data["x"].to_pylist() == values
    (tmp_path / "u.csv").write_text('x\n"1,234 kg"\n"7,000 kg"\n')
    source = FORMATS["csv"](tmp_path / "u.csv", Limits())
    intake = ingest(source, tmp_path / "u.parquet", features={"x": Number(decimal=",")})
    (column,) = intake.schema.columns
    assert (column.settings, column.guess, column.max) == ({"decimal": ",", "unit": "kg"}, None, 7.0)


@pytest.mark.parametrize(
    ("name", "is_guess"),
    [("zip", True), ("product_code", True), ("class", True), ("countryCode", True), ("邮编", True), ("age", False)],
)
def test_whole_numbers_that_may_be_names_are_a_guess(tmp_path: Path, name: str, is_guess: bool) -> None:
    column, _ = _column(tmp_path, ["10115", "10117", "99084"], name)
    assert (column.kind, column.guess is not None) == ("number", is_guess)


@pytest.mark.parametrize(
    ("settings", "sent", "value"),
    [
        ({"decimal": ","}, ["28,7", 28.7, "1.234,5", 1.234], [28.7, 28.7, 1234.5, 1.234]),
        ({"unit": "$"}, ["$12.50", 12.5, "12.5", None, "n/a"], [12.5, 12.5, 12.5, None, None]),
        ({"unit": "%"}, ["45%", "45", 45], [45, 45, 45]),
        ({}, ["1,234", 1e-7, "1e-7"], [1234, 1e-7, 1e-7]),
    ],
)
def test_predict_reads_every_spelling_and_bare_numbers(
    settings: dict[str, Any], sent: list[Any], value: list[Any]
) -> None:
    column = Column(name="x", kind="number", settings=settings)
    assert of(column).read(of(column).cells(sent, column), column).to_pylist() == value


@pytest.mark.parametrize("sent", ["12 kg", "28,7", "abc", "1e999", True, [1], "x" * 100_000])
def test_predict_refuses_what_the_column_does_not_have(sent: Any) -> None:
    column = Column(name="x", kind="number")
    with pytest.raises(CellError, match="must be a finite number"):
        of(column).cells([1, sent], column)


def test_points_that_group_by_the_marks_of_other_columns_are_a_guess(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("price;size;label\n1.100;0,5;a\n1.200;0,7;b\n1.150;0,6;a\n")
    source = FORMATS["csv"](tmp_path / "t.csv", Limits())
    price, size, _ = ingest(source, tmp_path / "rows.parquet").schema.columns
    assert (price.max, size.max) == (1200, 0.7)
    assert price.guess is not None and "between groups of digits" in price.guess and size.guess is None
    (tmp_path / "c.csv").write_text('lat,lon,p\n48.100,11.500,"0,00"\n48.101,11.501,"1,10"\n48.102,11.502,"2,15"\n')
    source = FORMATS["csv"](tmp_path / "c.csv", Limits())
    lat, _, p = ingest(source, tmp_path / "rows2.parquet").schema.columns
    assert (lat.max, p.max) == (48.102, 2.15)


def test_a_number_that_means_a_missing_value(tmp_path: Path) -> None:
    feature = Number.model_validate({"missing": ["-999"]})
    column = Column(name="x", kind="number", settings=feature.settings())
    for cells in ([-999, 1], [-999.0, 1.0], ["-999", "1"], [-999, "1"]):
        assert feature.read(feature.cells(cells, column), column).to_pylist() == [None, 1.0]
    assert feature.read(pa.array([-999, 1]), column).to_pylist() == [None, 1.0]
    for cells in (["-999.0", "1"], ["-9.99e2", "1"]):
        assert feature.read(feature.cells(cells, column), column).to_pylist() == [None, 1.0]
    wide = column.model_copy(update={"settings": {"decimal": ",", "unit": "kg", "missing": ["-99,9"]}})
    feature = Number.model_validate(wide.settings)
    for cells in ([-99.9, 1], ["-99,9 kg", "1 kg"], ["-99,90", "1,0"]):
        assert feature.read(feature.cells(cells, wide), wide).to_pylist() == [None, 1.0]


@pytest.mark.parametrize("cell", ["--5", "- -5", "+-5"])
def test_a_number_has_one_sign(cell: str) -> None:
    column = Column(name="x", kind="number")
    with pytest.raises(CellError):
        Number().cells([cell, "1"], column)


def test_a_multiplier_beside_bare_numbers_is_no_unit(tmp_path: Path) -> None:
    for cells, kind in ((["2万", "3万", "5万"], "number"), (["2万", "3", "5万"], "text")):
        (tmp_path / "t.csv").write_text("v,n\n" + "".join(f"{cell},{at}\n" for at, cell in enumerate(cells)))
        column = ingest(FORMATS["csv"](tmp_path / "t.csv", Limits()), tmp_path / "rows").schema.columns[0]
        assert column.kind == kind


def test_a_column_that_is_read_as_numbers_is_not_called_mostly_numbers(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("v;n\n" + "".join(f"{'1,5' if at == 3 else at};{at}\n" for at in range(40)))
    intake = ingest(FORMATS["csv"](tmp_path / "t.csv", Limits()), tmp_path / "rows")
    assert intake.schema.columns[0].kind == "number"
    assert "mostly_numbers" not in [warned.code for warned in intake.warnings]
