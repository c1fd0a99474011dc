"""CSV and TSV."""

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from athanor.contract import Hints
from models.data.formats import blocks, delimited
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
    assert _rows(delimited.read(path, Limits(), Hints(header=True, delimiter=","))) == [
        [cell or None for cell in row] for row in rows
    ]


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
        "2 of 4 rows were left out because they do not have the 2 fields of the header; row 2 (line 3) has 1"
    )
    assert source.warnings[0].suggestion == "write every value of a row, and quotes around a value that contains a ','"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,c\n1,2\n3,4\n5,6,7\n", "2 of 3 rows do not have the 3 fields of the header; row 1 \\(line 2\\) has 2"),
        ("a,b,c\n1,2\n3,4\n", "No row has the 3 fields of the header; row 1 \\(line 2\\) has 2. .* contains a ','"),
        ("a\tb\n1\n", "No row has the 2 fields of the header; row 1 \\(line 2\\) has 1. .* contains a tab"),
        ("a\n1,2\n", "No row has the 1 field of the header; row 1 \\(line 2\\) has 2. .* contains a ','"),
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
        (b"\n\n", "The file is empty"),
        (b'a,b\n1,"x"\n2,"open', "Line 3 opens a quote that closes only at the end of the file"),
        (b'a,b,c\n1,"x,y",z\n2,"open,y\n3,"p",q\n', "Line 3 opens a quote that closes only at line 4, within a value"),
        (b"a,b,\n1,2,\n" + b"3,4,\n" * 300 + b"5,6,7\n", "A row has a value in field 3, which has no name"),
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


def _texts(rows: int, line: str) -> str:
    return "".join(line.format(row) for row in range(rows))


@pytest.mark.parametrize(
    ("content", "rows", "told"),
    [
        ("a;b;c\n" + "0,5;1;x\n" * 9, ["0,5", "1", "x"], {"delimiter": ";", "decimal": ","}),
        ("Breite, mm;b;c\n" + "0,5;1;x\n" * 9, ["0,5", "1", "x"], {"delimiter": ";"}),
        ("a|b|c\n" + "1|2|x, y\n" * 9, ["1", "2", "x, y"], {"delimiter": "|"}),
        ("a\tb\n" + "1, 2 and 3\tx\n" * 9, ["1, 2 and 3", "x"], {"delimiter": "\t"}),
        ("text,label\n" + '"one; two; three",x\n' * 9, ["one; two; three", "x"], {"delimiter": ","}),
        ("1,5;2,5\n" * 9, ["1,5", "2,5"], {"delimiter": ";", "header": False}),
        ("sep=;\na;b\n1,5;x\n", ["1,5", "x"], {"delimiter": ";", "skipped_lines": 1}),
        ("a,b\r1,x\r", ["1", "x"], {"line_ends": "CR"}),
        ("a,b\r\n1,x\r2,y\r\n", ["1", "x"], {"delimiter": ","}),
        ("a,b,\n1,x,\n2,y,\n", ["1", "x"], {"trailing_separator": True}),
        ("a,b\n1,x,\n2,y,\n", ["1", "x"], {"trailing_separator": True}),
        ("a,b,\n1,x\n2,y\n", ["1", "x"], {"header": True}),
    ],
)
def test_dialects_are_found(tmp_path: Path, content: str, rows: list[str], told: dict[str, object]) -> None:
    source = _read(tmp_path, content)
    assert _rows(source)[0] == rows
    assert told.items() <= source.dialect.items()


def test_lines_above_the_header_are_left_out_and_said(tmp_path: Path) -> None:
    for title in ("Station 7\nfirmware 2\n", "Station 7,,\n,,\n"):
        source = _read(tmp_path, title + "a,b,label\n1,2,x\n3,4,y\n5\n")
        assert [row[2] for row in _rows(source)] == ["x", "y"]
        assert [(warned.code, warned.rows) for warned in source.warnings] == [("title_lines", []), ("ragged_rows", [3])]
        assert "(line 6)" in source.warnings[1].message


def test_one_column_of_texts_with_commas_has_no_title(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No row has the 1 field of the header"):
        _rows(_read(tmp_path, "text\nwell, thanks\nno, never\nyes, please\n"))


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n6.1,2.8,virginica\n", ["column_1", "column_2", "column_3"]),
        ("good film,pos\nbad film,neg\nfine,pos\n", ["column_1", "column_2"]),
        ("2024-01-01,3\n2024-01-02,9\n", ["column_1", "column_2"]),
        ("a,b,label\n1,2,x\n3,4,label\n", ["a", "b", "label"]),
        ("country,2019,2020\nA,1,2\nB,3,4\n", ["country", "2019", "2020"]),
        ("country,1990,2000,2013\nA,1,2,1\nB,3,4,2\n", ["country", "1990", "2000", "2013"]),
        ("400.5,401.0,401.5\n3,1,2\n5,6,4\n", ["400.5", "401.0", "401.5"]),
        ("1,2,3\n2,3,4\n3,5,7\n", ["column_1", "column_2", "column_3"]),
        ("text,label\ngood,pos\ntext,label\nbad,neg\n", ["text", "label"]),
        (",a,b\n0,1,x\n1,2,y\n", ["index", "a", "b"]),
        (",a,b\n7,1,x\n3,2,y\n", ["index", "a", "b"]),
        ('"a","b"\n"1",5,"x"\n"2",6,"y"\n', ["index", "a", "b"]),
        ("a,,b\n1,2,3\n", ["a", "column_2", "b"]),
    ],
)
def test_names_of_columns(tmp_path: Path, content: str, names: list[str]) -> None:
    source = _read(tmp_path, content)
    (batch,) = source.batches
    assert batch.schema.names == names
    assert ("no_header" in [warned.code for warned in source.warnings]) == (names[0] == "column_1")


def test_a_header_is_what_the_hint_says(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("5.5,6.5\n7.5,8.5\n")
    for header, rows in ((None, 2), (True, 1), (False, 2)):
        assert len(_rows(delimited.read(path, Limits(), Hints(header=header)))) == rows
    path.write_text("sep=;\na;b\n1;2\n")
    with pytest.raises(DataError, match="Line 1 says 'sep=;'"):
        delimited.read(path, Limits(), Hints(delimiter=","))
    path.write_text("a b\n1 x\n")
    assert _rows(delimited.read(path, Limits(), Hints(delimiter=" "))) == [["1", "x"]]
    assert delimited.read(path, Limits(), Hints(decimal=",")).decimal == ","


def test_quotes_in_tab_separated_files_are_letters_unless_they_enclose(tmp_path: Path) -> None:
    path = tmp_path / "data.tsv"
    rest = "z\tneg\n" * 50
    for content, first in (
        ('a\tb\n"x ""q"" y"\tpos\n' + rest, 'x "q" y'),
        ('a\tb\n"one\nrow"\tpos\n' + rest, "one\nrow"),
        ('a\tb\n"Good" film\tpos\n' + rest, '"Good" film'),
        ('a\tb\n"open\tpos\n' + rest + '"open\tpos\n', '"open'),
        ("a\tb\nz\tpos\n" + "z\tneg\n" * 2000 + '"open\tpos\n' + rest + '"open\tpos\n', "z"),
    ):
        path.write_text(content)
        rows = _rows(delimited.read_tsv(path, Limits()))
        assert rows[0] == [first, "pos"] and len(rows) >= 51
        assert len(rows) == content.count("pos\n") + content.count("neg\n")


def test_open_quotes_swallow_no_rows(tmp_path: Path) -> None:
    content = "a,b\n" + _texts(50, "{},x\n") + '50,"open\n' + _texts(50, "{},y\n") + '7,"open\n'
    source = _read(tmp_path, content)
    assert len(_rows(source)) == 102
    assert source.dialect["quoting"] == "none"


def test_rows_of_several_blocks_have_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, whichever blocks Arrow takes and whichever are left to the csv module."""
    monkeypatch.setattr(blocks, "SIZE", 200)
    lines = ['{},"a, ""{}"" b",x\n', "{},{},\n", '{},"two\nlines {}",z\n', '{},5" {},q\n', "{},{}\n", "\n"]
    content = "n,text,label\n" + "".join(lines[row * row % 11 % 6].format(row, row) for row in range(500))
    path = tmp_path / "data.csv"
    path.write_text(content)
    with path.open(newline="") as stream:
        records = [record for record in csv.reader(stream) if record][1:]
    source = _read(tmp_path, content)
    assert _rows(source) == [[cell or None for cell in record] for record in records if len(record) == 3]
    assert source.skipped == [row for row, record in enumerate(records, 1) if len(record) != 3]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(st.tuples(_CELL, _CELL, st.just("end")), min_size=1, max_size=40), st.integers(20, 200))
def test_blocks_of_any_size_have_the_same_rows(tmp_path: Path, rows: list[tuple[str, str, str]], size: int) -> None:
    path = tmp_path / "data.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("a", "b", "c"), *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "SIZE", size)
        assert _rows(delimited.read(path, Limits(), Hints(header=True))) == [
            [cell or None for cell in row] for row in rows
        ]


def test_a_header_of_numbers_is_mentioned(tmp_path: Path) -> None:
    assert [warned.code for warned in _read(tmp_path, "0,1\n3,4\n").warnings] == ["header_like_data"]


@pytest.mark.parametrize("first", ["1,NA,3", "?,2,3", "NA,2,3"])
def test_a_missing_value_in_the_first_line_makes_it_no_header(first: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(first + "\n" + "".join(f"{n % 5},{n % 3},{n % 7}\n" for n in range(20)))
    source = delimited.read(tmp_path / "t.csv", Limits())
    assert sum(batch.num_rows for batch in source.batches) == 21
    assert source.dialect["header"] is False


@pytest.mark.parametrize("cell", ['="00123"', '"=""00123"""'])
def test_a_formula_that_is_a_text_is_that_text(tmp_path: Path, cell: str) -> None:
    content = f'zip,b\n{cell},"x"\n=1+1,"y"\n="",z\n'
    assert _rows(_read(tmp_path, content)) == [["00123", "x"], ["=1+1", "y"], [None, "z"]]
