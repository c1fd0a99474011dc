"""Tables that name pictures and are no CSV: workbooks and JSON."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from models.data.formats import label_tables
from models.data.formats.archive import Archive
from models.data.formats.label_tables import Found
from models.data.formats.limits import Limits
from models.errors import DataError

PICTURES = [f"{number}.png" for number in range(1, 5)]
ROWS: list[dict[str, Any]] = [
    {"file": "1.png", "label": "cat", "weight": 2.5},
    {"file": "2.png", "label": "dog", "weight": 3},
    {"file": "3.png", "label": "cat", "weight": None},
    {"file": "4.png", "label": "dog", "weight": 4},
]


def _book(rows: list[dict[str, Any]]) -> bytes:
    book, held = openpyxl.Workbook(), io.BytesIO()
    for cells in ([*rows[0]], *([*row.values()] for row in rows)):
        book.active.append(cells)
    book.save(held)
    return held.getvalue()


def _found(tmp_path: Path, files: dict[str, bytes], classes: str = "", limits: Limits | None = None) -> Found:
    """What is found beside the pictures."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in PICTURES:
            archive.writestr(name, b"")
        for name, content in files.items():
            archive.writestr(name, content)
    opened = Archive(tmp_path / "a.zip", limits or Limits())
    infos = [info for info in opened.members if info.filename in PICTURES]
    said: list[str | None] = [*classes.split()] or [None] * len(PICTURES)
    return label_tables.find(opened, infos, [(None, each) for each in said])


FILES = {
    "labels.xlsx": _book(ROWS),
    "labels.json": json.dumps(ROWS).encode(),
    "labels.jsonl": "\n".join(map(json.dumps, ROWS)).encode(),
}


@pytest.mark.parametrize("name", FILES)
def test_labels_of_a_workbook_and_of_json(tmp_path: Path, name: str) -> None:
    found = _found(tmp_path, {name: FILES[name]})
    assert found.table is not None and found.warnings == []
    cells = found.table.columns.to_pydict()
    assert cells["label"] == ["cat", "dog", "cat", "dog"]
    assert [cell and float(cell) for cell in cells["weight"]] == [2.5, 3.0, None, 4.0]


def test_lists_are_no_labels(tmp_path: Path) -> None:
    rows = [{**row, "box": [1, 2, 3, 4], "words": ["a"]} for row in ROWS]
    found = _found(tmp_path, {"t.json": json.dumps(rows).encode()})
    assert found.table is not None and found.table.names == ["label", "weight"]
    (warned,) = found.warnings
    assert (
        warned.code == "ignored_columns" and "2 columns have lists and are left out: 'box', 'words'" in warned.message
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("coco.json", json.dumps({"images": [{"id": 1}], "annotations": []}).encode(), "nested or mixed values"),
        ("notes.xlsx", b"PK", "cannot be read"),
        ("sums.xlsx", _book([{"file": f"{n}.png", "label": "=A1"} for n in range(1, 5)]), "formulas without results"),
        ("other.json", json.dumps([{"a": "x", "b": "y"}] * 4).encode(), "no column of it names most images"),
    ],
)
def test_files_that_hold_no_table_of_labels_are_left_out(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    for classes in ("", "a a b b"):
        found = _found(tmp_path, {name: content}, classes)
        (warned,) = found.warnings
        assert found.table is None and warned.code == "ignored_tables" and said in warned.message


def test_a_csv_counts_before_others(tmp_path: Path) -> None:
    csv = "file,label\n" + "".join(f"{row['file']},{row['label'].upper()}\n" for row in ROWS[:3])
    found = _found(tmp_path, {"guesses.json": json.dumps(ROWS).encode(), "labels.csv": csv.encode()})
    assert found.table is not None and found.table.files == ["labels.csv"]
    assert [warned.code for warned in found.warnings] == ["ignored_tables"]
    with pytest.raises(DataError, match=r"a\.csv: "):
        _found(tmp_path, {"a.csv": b""})


def test_a_workbook_is_within_the_bounds_of_the_zip(tmp_path: Path) -> None:
    rows = [{"file": f"{n}.png", "label": "x" * 1000} for n in range(1, 400)]
    (warned,) = _found(tmp_path, {"labels.xlsx": _book(rows)}, limits=Limits(max_expanded_bytes=450_000)).warnings
    assert warned.code == "ignored_tables" and "max_expanded_bytes" in warned.message


def test_a_file_for_each_picture_does_not_hide_the_table(tmp_path: Path) -> None:
    shapes = json.dumps({"shapes": [{"label": "a"}]}).encode()
    others = {f"{number}.json": shapes for number in range(30)}
    found = _found(tmp_path, {**others, "z.csv": b"file,label\n1.png,a\n2.png,b\n3.png,a\n4.png,b\n"})
    assert found.table is not None and found.table.files == ["z.csv"]
    nested, more = [warned.message for warned in found.warnings if warned.code == "ignored_tables"]
    assert nested.startswith("19 tables were left out, such as 0.json: ") and "nested" in nested
    assert more == "11 tables were left out, such as 19.json: the zip has more than 20 tables"


def test_a_table_of_lists_alone_says_so(tmp_path: Path) -> None:
    (warned,) = _found(tmp_path, {"t.json": json.dumps([{"file": ["1.png"]}] * 3).encode()}).warnings
    assert warned.message == "the table t.json was left out: All of its columns have lists"


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("suffix", [".png", ""])
def test_one_object_of_names_and_labels(tmp_path: Path, indent: int | None, suffix: str) -> None:
    labels: list[Any] = ["cat", 7, 2.5, None]
    content = json.dumps({f"{n}{suffix}": label for n, label in enumerate(labels, 1)}, indent=indent).encode()
    found = _found(tmp_path, {"labels.json": content})
    assert found.table is not None and found.warnings == []
    assert found.table.columns.to_pydict() == {"label": ["cat", "7", "2.5", None]}


@pytest.mark.parametrize(
    "value",
    [
        {"1.png": "cat", "2.png": ["dog"]},
        {"1.png": "cat", "2.png": True, "3.png": 3},
        {"1.png": "\ud800"},
        {"\ud800": "cat"},
        {"a": "cat", "b": "dog"},
    ],
)
def test_other_objects_are_no_labels(tmp_path: Path, value: Any) -> None:
    found = _found(tmp_path, {"labels.json": json.dumps(value).encode()})
    assert [warned.code for warned in found.warnings] == ["ignored_tables"] and found.table is None


def test_an_object_of_labels_is_within_the_bounds_of_an_object(tmp_path: Path) -> None:
    content = json.dumps({f"{n}.png": "x" * 30 for n in range(1, 5)}).encode()
    for limits in (Limits(max_line_bytes=100), Limits(max_text_cells=3)):
        (warned,) = _found(tmp_path, {"labels.json": content}, limits=limits).warnings
        assert warned.code == "ignored_tables" and "the limit max_" in warned.message


def test_a_cover_of_a_workbook_hides_no_labels(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(io.BytesIO(_book(ROWS)))
    book.create_sheet("Cover", 0).append(["Labels of 2024"])
    book.save(held := io.BytesIO())
    found = _found(tmp_path, {"labels.xlsx": held.getvalue()})
    assert found.table is not None and found.table.columns.to_pydict()["label"] == ["cat", "dog", "cat", "dog"]
    assert [warned.code for warned in found.warnings] == ["other_sheets"]


def test_numbers_of_an_object_stay_as_they_are_written(tmp_path: Path) -> None:
    pairs = ", ".join(f'"{name}": {label}' for name, label in zip(PICTURES, ("1.50", "2", "1e3", "-0.0"), strict=True))
    found = _found(tmp_path, {"labels.json": f"{{{pairs}}}".encode()})
    assert found.table is not None and found.table.columns["label"].to_pylist() == ["1.50", "2", "1e3", "-0.0"]
    (tmp_path / "nan").mkdir()
    found = _found(tmp_path / "nan", {"labels.json": f"{{{pairs}}}".replace("1e3", "NaN").encode()})
    assert found.table is not None and found.table.columns["label"].to_pylist() == ["1.50", "2", None, "-0.0"]
