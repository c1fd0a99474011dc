"""Tables that name pictures."""

import re
import zipfile
from pathlib import Path

import pytest

from models.data.formats import label_tables
from models.data.formats.archive import Archive
from models.data.formats.label_rows import LabelTable
from models.data.formats.label_tables import Found
from models.data.formats.limits import Limits
from models.errors import DataError


def _all(tmp_path: Path, pictures: dict[str, str | None], classes: str = "", **tables: str) -> Found:
    """What is found for pictures, given with their parts. `tables` are CSV files by their names.

    `classes` are those that the folders say, separated by spaces.
    """
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in pictures:
            archive.writestr(name, b"")
        for name, content in tables.items():
            archive.writestr(f"{name}.csv", content)
    opened = Archive(tmp_path / "a.zip", Limits())
    infos = [info for info in opened.members if info.filename in pictures]
    said: list[str | None] = [*classes.split()] or [None] * len(pictures)
    return label_tables.find(opened, infos, list(zip(pictures.values(), said, strict=True)))


def _found(tmp_path: Path, pictures: dict[str, str | None], **tables: str) -> LabelTable | None:
    return _all(tmp_path, pictures, **tables).table


def _flat(*names: object) -> dict[str, str | None]:
    return {f"{name}.png": None for name in names}


def _labels(found: LabelTable | None) -> list[str | None]:
    assert found is not None and found.names == ["label"]
    return list(found.columns["label"].to_pylist())


@pytest.mark.parametrize("form", ["{}", "{}.png", "d/{}.png", "d/{}", "x/d/{}.png", "./x/d/{}.png", "x\\d\\{}.png"])
def test_forms_of_names(tmp_path: Path, form: str) -> None:
    rows = "".join(f"{form.format(name)},{label}\n" for name, label in (("b2", "no"), ("a1", "yes"), ("c3", "no")))
    pictures: dict[str, str | None] = {"x/d/a1.png": None, "x/d/b2.png": None, "x/d/c3.png": None}
    assert _labels(_found(tmp_path, pictures, labels="file,label\n" + rows)) == ["yes", "no", "no"]


def test_names_in_several_parts(tmp_path: Path) -> None:
    pictures: dict[str, str | None] = {f"{part}/{n}.png": part for part in ("train", "test") for n in (1, 2)}
    train, test = "id,label\n1,a\n2,b\n", "id,label\n1,c\n2,d\n"
    assert _labels(_found(tmp_path, pictures, labels=train)) == ["a", "b", None, None]
    assert _labels(_found(tmp_path, pictures, train_labels=train, test_labels=test)) == ["a", "b", "c", "d"]


def test_columns_of_flags_become_one(tmp_path: Path) -> None:
    pictures: dict[str, str | None] = {"1.png": None, "2.png": None, "3.png": None}
    flags = "image,cat,dog,owl\n1,0,1.0,0\n2,0,0,1\n3,1,0.0,0\n"
    assert _labels(_found(tmp_path, pictures, t=flags)) == ["dog", "owl", "cat"]
    both = _found(tmp_path, pictures, t=flags.replace("1,0,0\n", "1,1,0\n").replace("3,1,0.0", "3,1,1"))
    assert both is not None and both.names == ["cat", "dog", "owl"]


def test_other_tables_do_not_count(tmp_path: Path) -> None:
    pictures: dict[str, str | None] = {"1.png": None, "2.png": None}
    for name, content in (
        ("a", "id,label\nx,a\ny,b\n"),
        ("sample_submission", "id,label\n1,a\n2,b\n"),
        ("b", "id\n1\n"),
    ):
        assert _found(tmp_path, pictures, **{name: content}) is None
    with pytest.raises(DataError, match=r"a\.csv: "):
        _found(tmp_path, pictures, a="")


@pytest.mark.parametrize(
    ("files", "cells"),
    [
        ("img/0001.png img/0002.png img/0010.png", "1 2 10"),
        ("1.png 2.png 10.png", "0001 0002 0010"),
        ("img/1.png img/2.png img/3.png", r"C:\data\img\1.png C:\data\img\2.png C:\data\img\3.png"),
        ("img/1.png img/2.png img/3.png", "/home/me/pets/1.png /home/me/pets/2.png /home/me/pets/3.png"),
        ("IMG_01.JPG IMG_02.JPG IMG_03.JPG", "img_1.jpg img_2.jpg img_3.jpg"),
        ("1.png 2.png 3.png", "1.jpg 2.jpg 3.jpg"),
        ("1.png 2.png 3.png", "1.0 2.0 3.0"),
        ("a/1.png b/1.png b/2.png", "a/1.png b/1.png b/2.png"),
    ],
)
def test_names_that_differ_in_what_does_not_matter(tmp_path: Path, files: str, cells: str) -> None:
    rows = "".join(f"{cell},{label}\n" for cell, label in zip(cells.split(), ("x", "y", "z"), strict=True))
    assert _labels(_found(tmp_path, dict.fromkeys(files.split()), t="id,label\n" + rows)) == ["x", "y", "z"]


def test_a_name_that_may_be_of_several_pictures_names_none(tmp_path: Path) -> None:
    pictures: dict[str, str | None] = {"a/1.png": None, "b/1.png": None, "a/2.png": None, "a/3.png": None}
    found = _all(tmp_path, pictures, t="id,label\nx/1.png,p\n2.png,q\n3.png,r\n1.png,s\n")
    assert _labels(found.table) == [None, None, "q", "r"]
    none, several = found.warnings
    assert none.code == several.code == "unmatched_names"
    assert none.message.startswith("1 of 4 rows of t.csv names no image of the zip ('x/1.png' in row 1)")
    assert several.message.startswith("1 of 4 rows of t.csv names several images ('1.png' in row 4)")
    flat = _all(tmp_path, _flat(1, 2, 3, 4), t="id,label\ntrain/1,p\ntest/1,q\n2,q\n3,r\n4,s\n")
    assert _labels(flat.table) == [None, "q", "r", "s"] and "2 of 5 rows" in flat.warnings[0].message


def test_numbers_that_count_something_else_are_no_names(tmp_path: Path) -> None:
    pictures = _flat(*(f"{number:04}" for number in range(100)))
    ages = "".join(f"person {number},{20 + number % 50},x\n" for number in range(100))
    assert _found(tmp_path, pictures, t="who,age,label\n" + ages) is None
    # The number of a row comes before the name of the file.
    order = "".join(f"{2 - number},{number}.png,{'xyz'[number]}\n" for number in range(3))
    found = _found(tmp_path, _flat(0, 1, 2), t="row,file,label\n" + order)
    assert found is not None and found.columns["label"].to_pylist() == ["x", "y", "z"]


def test_rows_of_one_picture_that_differ_leave_its_label_out(tmp_path: Path) -> None:
    table = "id,label,age\n1,cat,3\n2,cat,4\n2,dog,4\n3,dog,5\n3, dog,5\n4,cat,\n4,cat,7\nx,1\n99,cat,1\n"
    found = _all(tmp_path, _flat(1, 2, 3, 4), t=table)
    assert found.table is not None and found.table.found.all()
    assert found.table.columns.to_pydict() == {"label": ["cat", None, "dog", "cat"], "age": ["3", "4", "5", "7"]}
    ragged, missing, contrary = found.warnings
    assert (ragged.code, ragged.message[:18], ragged.rows) == ("ragged_rows", "t.csv: 1 of 9 rows", [])
    assert (missing.code, "('99' in row 9)" in missing.message) == ("unmatched_names", True)
    assert (contrary.code, contrary.rows) == ("contradicting_labels", [2])
    assert "1 image has rows with different values in 'label': 2 is 'cat' and 'dog' in rows 2 and 3" in contrary.message


def test_boxes_around_objects(tmp_path: Path) -> None:
    head = "filename,width,height,class,xmin\n"
    boxes = "".join(f"{n}.png,9,9,{label},{n + at}\n" for n in range(4) for at, label in enumerate(("cat", "dog")))
    with pytest.raises(DataError, match=r"All 4 images .* different values in 'class', 'xmin': 0\.png is 'cat'"):
        _found(tmp_path, _flat(0, 1, 2, 3), boxes=head + boxes)
    found = _all(tmp_path, _flat(0, 1, 2, 3), boxes=head + boxes.replace("dog", "cat"))
    assert found.table is not None and found.table.names == ["width", "height", "class"]
    assert "which leaves none in 'xmin'" in found.warnings[0].message


def test_tables_of_parts_divide_the_pictures(tmp_path: Path) -> None:
    pictures = {f"images/{name}": part for name, part in _flat(1, 2, 3, 4, 5).items()}
    train = "id,label\n1,a\n2,b\n3,a\n"
    found = _all(tmp_path, pictures, train=train, test="label,id\nb,4\na,3\n")
    assert found.table is not None and found.table.parts == ["train", "train", "train", "test", None]
    assert [(each.code, each.rows) for each in found.warnings] == [("rows_in_two_parts", [3])]
    alone = _all(tmp_path, pictures, train=train, test="id\n4\n5\n")
    assert alone.table is not None and alone.table.parts == [None] * 5
    assert "2 cells of its only column 'id' name images" in alone.warnings[0].message


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("id,label\nx,a\n", r"0 of 1 cells of its column 'id' name one"),
        ("file,label\n1,cat\n2,Cat\n3,dog\n4,dog\n", "its column 'label' says the same as the folders"),
        (
            "file,label\n1,cat\n2,dog\n3,dog\n4,dog\n",
            r"differs .* 1 of 4 images \('dog' is in a folder 'cat'",
        ),
        ("file,age\n1,3\n2,3\n3,5\n4,6\n", "neither it nor a column of it is called label"),
        ("file,label\n1,x\n2,x\n", "it names 2 of 4 images in them"),
        ("file,label\n1,x\n2,y\n3,x\n4,y\n", None),
    ],
)
def test_tables_beside_class_folders(tmp_path: Path, table: str, said: str | None) -> None:
    pictures: dict[str, str | None] = {"cat/1.png": None, "cat/2.png": None, "dog/3.png": None, "dog/4.png": None}
    found = _all(tmp_path, pictures, "cat cat dog dog", t=table)
    if said is None:
        assert _labels(found.table) == ["x", "y", "x", "y"] and not found.warnings
    else:
        (warned,) = found.warnings
        assert found.table is None and warned.code == "ignored_tables" and re.search(said, warned.message)
    assert _all(tmp_path, pictures, "cat cat dog dog", t="").warnings[0].code == "ignored_tables"


@pytest.mark.parametrize(
    ("rows", "names"), [("file,y\n0,b\n1,b\n2,a\n", ["y"]), ("0,cat\n1,cat\n2,dog\n", ["column_2"])]
)
def test_names_of_pictures_tell_whether_there_is_a_header(tmp_path: Path, rows: str, names: list[str]) -> None:
    pictures = _flat(0, 1, 2)
    for table in (rows, rows.replace("0,", "0.png,").replace("1,", "1.png,").replace("2,", "2.png,")):
        found = _all(tmp_path, pictures, t=table)
        assert found.table is not None and found.table.names == names and found.table.found.all()
        assert found.warnings == []


def test_a_picture_that_is_not_there_is_no_header(tmp_path: Path) -> None:
    found = _all(tmp_path, _flat(1, 2, 3), t="0.png,cat\n1.png,cat\n2.png,dog\n3.png,dog\n")
    assert found.table is not None and found.table.names == ["column_2"] and found.table.found.all()
    (warned,) = found.warnings
    assert warned.code == "unmatched_names" and "0.png" in warned.message
