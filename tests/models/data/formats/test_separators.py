"""Separators that no usual table has."""
# ruff: noqa: RUF001 -- full-width commas are what some of these tests are about

from pathlib import Path

import pytest

from athanor.contract import Hints
from models.data.formats import delimited, plain_text
from models.data.formats.limits import Limits
from models.data.table import Source


def _read(tmp_path: Path, lines: list[str], hints: Hints = Hints()) -> Source:  # noqa: B008 -- frozen
    (tmp_path / "a.csv").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return delimited.read(tmp_path / "a.csv", Limits(), hints)


def _rows(source: Source) -> list[dict[str, str | None]]:
    return [row for batch in source.batches for row in batch.to_pylist()]


@pytest.mark.parametrize(
    ("header", "row", "names", "values", "told"),
    [
        ("编号，价格，类别", "{0}，2.5，甲", ["编号", "价格", "类别"], ["{0}", "2.5", "甲"], {"delimiter": "，"}),
        ("a^label", "{0}^x, y", ["a", "label"], ["{0}", "x, y"], {"delimiter": "^"}),
        ("a\x01label", "{0}\x01x", ["a", "label"], ["{0}", "x"], {"delimiter": "\x01"}),
        ("x y label", "{0} 2 good", ["x", "y", "label"], ["{0}", "2", "good"], {"delimiter": " "}),
        ("x    y  label", "  {0}   2 good ", ["x", "y", "label"], ["{0}", "2", "good"], {"delimiter": " "}),
        ('"x" "label"', '"{0}" 2 "so so"', ["index", "x", "label"], ["{0}", "2", "so so"], {"delimiter": " "}),
        ("a::b::c", '{0}::"x" y::z', ["a", "b", "c"], ["{0}", '"x" y', "z"], {"delimiter": "::"}),
        ('"a,b,label"', '"{0},""x, y"",good"', ["a", "b", "label"], ["{0}", "x, y", "good"], {"quoting": "rows"}),
    ],
)
def test_they_are_read_where_they_are_certain(
    tmp_path: Path, header: str, row: str, names: list[str], values: list[str], told: dict[str, str]
) -> None:
    source = _read(tmp_path, [header, *(row.format(number) for number in range(1, 20))])
    assert _rows(source) == [
        dict(zip(names, [value.format(number) for value in values], strict=True)) for number in range(1, 20)
    ]
    assert source.dialect.items() >= told.items()
    assert source.warnings == []


def test_the_first_row_of_ratings_is_a_row(tmp_path: Path) -> None:
    source = _read(tmp_path, [f"{user}::{user + 90}::5::978300760" for user in range(1, 20)])
    assert source.dialect["header"] is False
    assert len(_rows(source)) == 19


@pytest.mark.parametrize("content", ["x  y label\n 1   2 good\n", "x y label\n1 2 good\n"])
def test_a_space_may_be_given_as_the_delimiter(tmp_path: Path, content: str) -> None:
    source = _read(tmp_path, content.splitlines(), Hints(delimiter=" "))
    assert _rows(source) == [{"x": "1", "y": "2", "label": "good"}]


def test_what_is_in_doubt_is_one_column_with_a_warning(tmp_path: Path) -> None:
    lines = ["编号，价格", "只有，一", *(f"{number}号，好" for number in range(3)), "没有"]
    source = _read(tmp_path, lines)
    assert [warned.code for warned in source.warnings] == ["single_column"]
    assert source.warnings[0].message == (
        "the file was read as one column, '编号，价格'; 4 of 5 rows hold 1 '，', and so does the first line"
    )
    assert source.warnings[0].suggestion == "if they separate values, upload it with delimiter='，'"
    assert len(_rows(source)) == 5
    rows = _rows(_read(tmp_path, lines, Hints(delimiter="，")))
    assert rows[0] == {"编号": "只有", "价格": "一"}


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("text", "Hello world {0}"),
        ("full name", "John{0} Smith"),
        ("weight kg", "{0} kg"),
        ("date time", "2024-01-05 12:{0}"),
        ("文本", "好吃{0}，好"),
        ('"text"', '"Hello, world {0}"'),
        ('"name, first"', '"Smith, John {0}"'),
        ("population", "{0} 345"),
        ('"price"', '"1,2{0}"'),
        ('"price"', '"{0},5"'),
    ],
)
def test_one_column_stays_one_column(tmp_path: Path, header: str, row: str) -> None:
    source = _read(tmp_path, [header, *(row.format(number) for number in range(10, 20))])
    assert source.warnings == []
    assert [list(row) for row in _rows(source)] == [[header.strip('"')]] * 10


@pytest.mark.parametrize(
    ("lines", "message", "suffix"),
    [
        (["label\ttext", *["ham\tWhat, you?"] * 9], "10 of the first 10 lines hold 1 tab,", ".tsv"),
        (["a\tb\tc", *["1\t2\t3"] * 9], "10 of the first 10 lines hold 2 tabs,", ".tsv"),
        (["a;b;c", *["1;2;3"] * 9], "10 of the first 10 lines hold 2 ';',", ".csv"),
    ],
)
def test_tables_among_texts_are_said(tmp_path: Path, lines: list[str], message: str, suffix: str) -> None:
    (tmp_path / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    source = plain_text.read(tmp_path / "a.txt", Limits())
    assert [warned.code for warned in source.warnings] == ["table_in_text"]
    assert source.warnings[0].message.startswith(message)
    assert suffix in (source.warnings[0].suggestion or "")
    assert len(_rows(source)) == 10


def test_texts_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "To be, or not to be.\n\nThat is the question.\n\tIndented.\n" * 9, encoding="utf-8"
    )
    assert plain_text.read(tmp_path / "a.txt", Limits()).warnings == []
