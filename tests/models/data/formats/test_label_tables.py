"""Tables that name pictures."""

import zipfile
from pathlib import Path

import pytest

from models.data.formats import label_tables
from models.data.formats.archive import Archive
from models.data.formats.label_tables import LabelTable
from models.data.formats.limits import Limits
from models.errors import DataError


def _found(tmp_path: Path, pictures: dict[str, str | None], **tables: str) -> LabelTable | None:
    """The labels of pictures, given with their parts. `tables` are CSV files by their names."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in pictures:
            archive.writestr(name, b"")
        for name, content in tables.items():
            archive.writestr(f"{name}.csv", content)
    opened = Archive(tmp_path / "a.zip", Limits())
    infos = [info for info in opened.members if info.filename in pictures]
    return label_tables.find(opened, infos, list(pictures.values()))


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
