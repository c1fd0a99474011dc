"""CSV and TSV."""

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.data.formats import delimited
from models.data.formats.limits import Limits, OverLimit
from models.data.table import Source
from models.errors import DataError

_CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20)


def _rows(source: Source) -> list[list[str | None]]:
    return [list(row.values()) for batch in source.batches for row in batch.to_pylist()]


def _read(tmp_path: Path, content: bytes | str, limits: Limits | None = None) -> Source:
    path = tmp_path / "data.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return delimited.read(path, limits or Limits())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(st.tuples(_CELL, _CELL, st.just("end")), min_size=1, max_size=20))
def test_what_csv_writes_comes_back(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    path = tmp_path / "data.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("a", "b", "c"), *rows])
    assert _rows(delimited.read(path, Limits())) == [[cell or None for cell in row] for row in rows]


def test_a_mark_and_windows_lines_are_tolerated(tmp_path: Path) -> None:
    source = _read(tmp_path, "\ufeffa,b\r\n1,é\r\n".encode())
    assert [batch.to_pylist() for batch in source.batches] == [[{"a": "1", "b": "é"}]]


@pytest.mark.parametrize("mark", [";", "\t"])
def test_other_delimiters_are_found(tmp_path: Path, mark: str) -> None:
    assert _rows(_read(tmp_path, f"a{mark}b\n1{mark}2\n")) == [["1", "2"]]


def test_ragged_rows_are_left_out_with_their_numbers(tmp_path: Path) -> None:
    source = _read(tmp_path, "a,b\n1,2\n3\n4,5\n\n6,7,8\n")
    assert _rows(source) == [["1", "2"], ["4", "5"]]
    assert source.skipped == [2, 4]
    assert [(warned.code, warned.rows) for warned in source.warnings] == [("ragged_rows", [2, 4])]
    assert source.warnings[0].message == (
        "2 of 4 rows left out because they do not have the 2 fields of the header; row 2 has 1: "
        "write every value of a row, and quotes around a value that contains a ','"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,c\n1,2\n3,4\n", "No row has the 3 fields of the header; row 1 has 2. .* contains a ','"),
        ("a\tb\n1\n", "No row has the 2 fields of the header; row 1 has 1. .* contains a tab"),
        ("a\n1,2\n", "No row has the 1 field of the header; row 1 has 2. .* contains a ','"),
    ],
)
def test_rows_that_are_all_ragged_are_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _rows(_read(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,\xff\n", "Line 2 is not UTF-8"),
        (b"a,a\n1,2\n", "Two columns are called 'a'"),
        (b"a,,b\n1,2,3\n", "Column 2 has no name"),
        (b"\n\n", "The file is empty"),
        (b"a\rb\nc\n", "not CSV"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _rows(_read(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "limits"),
    [
        ("a,b,c\n1,2,3\n", Limits(max_columns=2)),
        ('a\n"' + "x" * 200, Limits(max_cell_bytes=100)),
        ("a\n" + "x" * 200, Limits(max_line_bytes=100)),
    ],
)
def test_limits_are_named(tmp_path: Path, content: str, limits: Limits) -> None:
    with pytest.raises(OverLimit, match=r"the limit max_\w+ is \d+"):
        _rows(_read(tmp_path, content, limits))


def test_a_header_of_numbers_is_mentioned(tmp_path: Path) -> None:
    assert [warned.code for warned in _read(tmp_path, "1,2\n3,4\n").warnings] == ["header_of_numbers"]
