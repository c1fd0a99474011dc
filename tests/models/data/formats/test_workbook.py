"""Workbooks of Excel."""

import datetime
import io
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from athanor.contract import Hints
from models.data.formats import sheet_rows, workbook
from models.data.formats.limits import Limits, OverLimit
from models.data.intake import run
from models.errors import DataError
from tests.files import zipped


def _book(path: Path, **sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def _rows(path: Path, hints: Hints = Hints()) -> list[dict[str, Any]]:  # noqa: B008 -- frozen
    return [row for batch in workbook.read(path, Limits(), hints).batches for row in batch.to_pylist()]


def test_rows_end_with_their_last_value(tmp_path: Path) -> None:
    """Of a row that is formatted up to the last column, the empty cells cost nothing."""
    book = openpyxl.Workbook()
    for cells in ([None, "a"], [1], []):
        book.active.append(cells)
    for row in (1, 2, 3):
        book.active.cell(row, 16_384).font = openpyxl.styles.Font(bold=True)
    book.save(tmp_path / "a.xlsx")
    opened = openpyxl.load_workbook(tmp_path / "a.xlsx", read_only=True, data_only=True)
    assert list(sheet_rows.rows(opened.active, sheet_rows.Uncalculated())) == [[None, "a"], [1], []]


def test_cells_are_text(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["day", "at", "n", "ok", "who"],
        [datetime.date(2024, 1, 31), datetime.datetime(2024, 1, 2, 3, 4), 1.5, True, 'a, "b"\nc'],
        [],
        [datetime.date(2024, 2, 1), datetime.datetime(2024, 1, 2, 3, 5), 2, False],
        [None, None, "#N/A", None, " é "],
    ]
    assert _rows(_book(tmp_path / "a.xlsx", data=rows)) == [
        {"day": "2024-01-31", "at": "2024-01-02T03:04:00", "n": "1.5", "ok": "true", "who": 'a, "b"\nc'},
        {"day": "2024-02-01", "at": "2024-01-02T03:05:00", "n": "2", "ok": "false", "who": None},
        {"day": None, "at": None, "n": None, "ok": None, "who": " é "},
    ]


def test_other_sheets_and_titles_are_said(tmp_path: Path) -> None:
    table: list[list[Any]] = [["Station 7"], [], ["a", "b", "label"], [1, 2, "x"], [3, 4, "y"]]
    path = _book(tmp_path / "a.xlsx", empty=[], data=table, notes=[["hello"]])
    source = workbook.read(path, Limits())
    assert [len(batch) for batch in source.batches] == [2]
    assert source.dialect == {"sheet": "data", "header": True, "skipped_lines": 1}
    assert [warned.code for warned in source.warnings] == ["title_lines", "other_sheets"]
    assert "2 more sheets, which were not read: 'empty', 'notes'" in source.warnings[1].message


def test_a_hidden_sheet_is_read_last(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    backup, data = book.active, book.create_sheet("data")
    backup.title, backup.sheet_state, book.active = "backup", "hidden", 1
    for sheet, value in ((backup, 1), (data, 2)):
        for row in (["a", "b"], [value, value]):
            sheet.append(row)
    book.save(tmp_path / "t.xlsx")
    assert _rows(tmp_path / "t.xlsx") == [{"a": "2", "b": "2"}]


COVERS: dict[str, list[list[Any]]] = {
    "a cell": [["Sales of 2024"]],
    "a line": [["Sales", None, 2024]],
    "a line far below": [[], [], ["Sales"]],
    "a formula": [["Made on", "=TODAY()"]],
    "nothing": [],
}


@pytest.mark.parametrize("cover", COVERS)
def test_a_sheet_of_one_line_is_a_cover(tmp_path: Path, cover: str) -> None:
    path = _book(tmp_path / "a.xlsx", Cover=COVERS[cover], Data=[["a", "label"], [1, "x"], [2, "y"]])
    source = workbook.read(path, Limits())
    assert [row["label"] for batch in source.batches for row in batch.to_pylist()] == ["x", "y"]
    (warned,) = source.warnings
    assert source.dialect["sheet"] == "Data" and warned.code == "other_sheets" and "'Cover'" in warned.message


def test_a_workbook_of_single_lines_is_refused_with_its_sheets(tmp_path: Path) -> None:
    path = _book(tmp_path / "a.xlsx", Cover=[["Sales"]], Data=[["a", "b"]])
    with pytest.raises(DataError, match="none of its 2 sheets 'Cover', 'Data' has more than one line"):
        _rows(path)
    assert _rows(path, Hints(header=False)) == [{"column_1": "Sales"}]
    with pytest.raises(DataError, match="its sheet 'Data' has no more than one line"):
        _rows(_book(tmp_path / "b.xlsx", Data=[["a", "b"]]))


def test_a_sheet_without_a_header(tmp_path: Path) -> None:
    path = _book(tmp_path / "a.xlsx", data=[[1.5, "x"], [2.5, "x"], [3.5, "y"]])
    assert len(_rows(path)) == 3
    assert len(_rows(path, Hints(header=True))) == 2


def _with(path: Path, name: str, content: bytes) -> bytes:
    """A workbook with another content of a member."""
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    return zipped((members | {name: content}).items())


def test_what_is_no_workbook_is_refused(tmp_path: Path) -> None:
    good = _book(tmp_path / "good.xlsx", data=[["a"], [1]])
    for content, message in (
        (b"PK\x03\x04", "cannot be read"),
        (zipped([("a.txt", b"x")]), "The workbook cannot be read"),
        (_book(tmp_path / "empty.xlsx", data=[]).read_bytes(), "The workbook has no rows"),
        (_with(good, "xl/worksheets/sheet1.xml", b"<worksheet>"), "cannot be read"),
        (_with(good, "xl/workbook.xml", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"), "cannot be read"),
    ):
        (tmp_path / "a.xlsx").write_bytes(content)
        with pytest.raises(DataError, match=message):
            _rows(tmp_path / "a.xlsx")


def test_limits_are_named(tmp_path: Path) -> None:
    good = _book(tmp_path / "good.xlsx", data=[["a", "b"], [1, 2], [3, 4]])
    sheet = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    far = sheet + b'<row r="1"><c r="XFD1"><v>1</v></c></row></sheetData></worksheet>'
    for content, limits, limit in (
        (good.read_bytes(), Limits(max_columns=1), "max_columns"),
        (good.read_bytes(), Limits(max_text_cells=3), "max_text_cells"),
        (_with(good, "xl/worksheets/sheet1.xml", far), Limits(), "max_columns"),
        (_with(good, "xl/worksheets/sheet1.xml", sheet + b" " * (20 << 20)), Limits(), "zip_ratio"),
    ):
        (tmp_path / "a.xlsx").write_bytes(content)
        with pytest.raises(OverLimit, match=f"the limit {limit} is"):
            workbook.read(tmp_path / "a.xlsx", limits)


def test_strings_may_be_in_the_cells(tmp_path: Path) -> None:
    """As programs write that stream: no table of strings, and a wrong size."""
    rows = "".join(
        f'<row r="{at}"><c r="A{at}" t="inlineStr"><is><t>{cell}</t></is></c><c r="B{at}"><v>{at}</v></c></row>'
        for at, cell in enumerate(["text", "x", "y"], 1)
    )
    sheet = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1"/>'
    good = _book(tmp_path / "good.xlsx", data=[["a"], [1]])
    content = _with(good, "xl/worksheets/sheet1.xml", f"{sheet}<sheetData>{rows}</sheetData></worksheet>".encode())
    (tmp_path / "a.xlsx").write_bytes(io.BytesIO(content).getvalue())
    assert _rows(tmp_path / "a.xlsx", Hints(header=True)) == [{"text": "x", "1": "2"}, {"text": "y", "1": "3"}]


def test_an_enclosed_process_reads_it(tmp_path: Path) -> None:
    path = _book(tmp_path / "a.xlsx", data=[["a", "label"], [1, "x"], [2, "y"]])
    intake = run(path, "a.xlsx", tmp_path / "rows")
    assert (intake.rows, intake.format, intake.dialect["sheet"]) == (2, "xlsx", "data")


def test_durations_are_said(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["lasted", "n"], [datetime.timedelta(hours=30), 1], [datetime.timedelta(minutes=-1), 2]]
    source = workbook.read(_book(tmp_path / "a.xlsx", s=rows), Limits())
    assert [row["lasted"] for batch in source.batches for row in batch.to_pylist()] == ["108000.0", "-60.0"]
    assert [(warned.code, warned.message) for warned in source.warnings] == [
        ("durations", "2 cells are durations, and are read as numbers of seconds")
    ]


def test_a_column_of_formulas_without_results_is_refused(tmp_path: Path) -> None:
    """As openpyxl writes it, which does not calculate."""
    rows: list[list[Any]] = [["a", "b", "sum"], *([at, at % 7, f"=A{at + 2}+B{at + 2}"] for at in range(60))]
    with pytest.raises(DataError, match=r"Column C of the sheet 'data' has formulas .* first in C2, 60 in all.*Excel"):
        workbook.read(_book(tmp_path / "a.xlsx", data=rows), Limits())
    alone: list[list[Any]] = [["=1+1"], ["=A1"]]
    with pytest.raises(DataError, match="Column A of the sheet 'sums'"):
        workbook.read(_book(tmp_path / "b.xlsx", sums=alone, other=[["a"], [1]]), Limits())


def test_single_formulas_without_results_are_said(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["a", "b"], *([at, at % 7] for at in range(60)), ["=SUM(A2:A61)", "=SUM(B2:B61)"]]
    source = workbook.read(_book(tmp_path / "a.xlsx", data=rows), Limits())
    (warned,) = source.warnings
    assert warned.code == "uncalculated_formulas" and "2 cells" in warned.message and "A62" in warned.message
    source = workbook.read(_book(tmp_path / "a.xlsx", data=[*rows[:-1], [1, "=B2"]]), Limits())
    assert "1 cell has a formula" in source.warnings[0].message and source.warnings[0].rows == [61]
    lacks = [1, "=B2", "x"]
    table: list[list[Any]] = [["a", "b", "label"], *([at, at % 7, "xy"[at % 2]] for at in range(60)), *[lacks] * 12]
    titled = [["Station 7"], [], *table[:3], lacks, [], *table[3:]]
    source = workbook.read(_book(tmp_path / "a.xlsx", data=titled), Limits())
    (warned,) = [each for each in source.warnings if each.code == "uncalculated_formulas"]
    assert warned.rows == [3, *range(62, 71)]
    cells = [row["b"] for batch in source.batches for row in batch.to_pylist()]
    assert [at for at, cell in enumerate(cells, 1) if cell is None][:10] == warned.rows


def test_stored_results_of_formulas_are_read(tmp_path: Path) -> None:
    """An empty text is a result, too."""
    cells = (
        '<c r="A{at}"><f>1+1</f><v>2</v></c><c r="B{at}" t="str"><f>IF(A1,"")</f><v></v></c>'
        '<c r="C{at}" t="str"><f>"x"</f><v>x</v></c><c r="D{at}"><v>{at}</v></c>'
    )
    rows = "".join(f'<row r="{at}">{cells.format(at=at)}</row>' for at in range(1, 9))
    sheet = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    good = _book(tmp_path / "good.xlsx", data=[["a"], [1]])
    content = _with(good, "xl/worksheets/sheet1.xml", f"{sheet}<sheetData>{rows}</sheetData></worksheet>".encode())
    (tmp_path / "a.xlsx").write_bytes(content)
    found = _rows(tmp_path / "a.xlsx", Hints(header=False))
    assert len(found) == 8 and found[7] == {"column_1": "2", "column_2": None, "column_3": "x", "column_4": "8"}
    assert "uncalculated_formulas" not in [each.code for each in workbook.read(tmp_path / "a.xlsx", Limits()).warnings]
