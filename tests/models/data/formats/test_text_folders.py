"""Zips of texts in class folders."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from athanor.contract import Hints
from models.data.formats import FORMATS, sniff, text_folders
from models.data.formats.limits import Limits, OverLimit
from models.data.intake import ingest
from models.data.table import Source
from models.errors import DataError
from tests.files import zipped


def _read(
    tmp_path: Path, members: Mapping[str, str | bytes], limits: Limits | None = None, hints: Hints | None = None
) -> Source:
    content = [(name, text.encode() if isinstance(text, str) else text) for name, text in members.items()]
    (tmp_path / "a.zip").write_bytes(zipped(content))
    assert sniff("a.zip", tmp_path / "a.zip") == "texts"
    return text_folders.read(tmp_path / "a.zip", limits or Limits(), hints or Hints())


def _rows(source: Source) -> list[dict[str, Any]]:
    return [row for batch in source.batches for row in batch.to_pylist()]


PAIR: dict[str, str | bytes] = {"d/pos/0.txt": "fine\r\n\r\nfilm\r\n", "d/pos/1.txt": "", "d/neg/0.txt": "dull"}


def test_each_file_is_a_row_of_its_class(tmp_path: Path) -> None:
    source = _read(tmp_path, PAIR)
    assert (source.target, source.part, source.dialect) == ("label", None, {"encoding": "utf-8"})
    assert _rows(source) == [
        {"text": "dull", "label": "neg"},
        {"text": "fine\n\nfilm", "label": "pos"},
        {"text": None, "label": "pos"},
    ]
    assert source.warnings == []


def test_the_reviews_of_imdb(tmp_path: Path) -> None:
    members: dict[str, str | bytes] = {
        f"aclImdb/{part}/{label}/{n}_7.txt": f"{part} {label} {n}"
        for part in ("test", "train")
        for label in ("pos", "neg")
        for n in range(3)
    }
    members |= {f"aclImdb/train/unsup/{n}_0.txt": f"any {n}" for n in range(2)}
    members |= {"aclImdb/README": "x", "aclImdb/imdbEr.txt": "0.1\n", "aclImdb/train/urls_pos.txt": "http://x\n"}
    source = _read(tmp_path, members)
    intake = ingest(source, tmp_path / "rows")
    assert (intake.rows, intake.schema.target, intake.schema.part) == (14, "label", "part")
    assert {column.name: column.kind for column in intake.schema.columns}["text"] == "text"
    label = next(column for column in intake.schema.columns if column.name == "label")
    assert (label.classes, label.counts, label.missing) == (["neg", "pos"], [6, 6], 2)
    unlabeled, ignored, *_ = intake.warnings
    assert (unlabeled.code, unlabeled.rows) == ("unlabeled_texts", [1, 4]) and "2 of 14" in unlabeled.message
    assert ignored.code == "ignored_files" and ignored.message.startswith("3 files that are no .txt file in a class")


def test_a_part_without_classes_has_no_labels(tmp_path: Path) -> None:
    members = {f"train/{'ab'[n % 2]}/{n}.txt": "x" for n in range(4)} | {"test/7.txt": "y"}
    source = _read(tmp_path, members)
    assert source.part is None and [row["label"] for row in _rows(source)] == ["a", "b", "a", "b", None]


def test_texts_in_other_encodings(tmp_path: Path) -> None:
    chinese = "这个手机很好用但是电池差我们今天一起去看了一部电影觉得演员的表演特别自然故事也很感人"
    members = {**PAIR, "d/neg/1.txt": chinese.encode("gb18030"), "d/neg/2.txt": "é".encode("utf-16")}
    source = _read(tmp_path, members)
    assert [row["text"] for row in _rows(source) if row["label"] == "neg"] == ["dull", chinese, "é"]
    (warned,) = source.warnings
    assert (warned.code, warned.message[:25]) == ("encoding_guessed", "1 of 5 texts is not UTF-8")
    western = {**PAIR, "d/neg/1.txt": "caf\u00e9".encode("windows-1252")}
    given = _read(tmp_path, western, hints=Hints(encoding="windows-1252"))
    assert "café" in {row["text"] for row in _rows(given)} and given.warnings == []
    polish = {**PAIR, "d/neg/1.txt": "łabędź".encode("cp1250"), "d/neg/2.txt": "świeża gęś, żółty".encode("cp1250")}
    assert {"łabędź", "świeża gęś, żółty"} <= {row["text"] for row in _rows(_read(tmp_path, polish))}
    # With the letters that Windows added to the encoding.
    japanese = {**PAIR, "d/neg/1.txt": "番号①".encode("cp932")}
    given = _read(tmp_path, japanese, hints=Hints(encoding="shift_jis"))
    assert "番号①" in {row["text"] for row in _rows(given)}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({**PAIR, "d/pos/2.txt": b"a\0b\0\0"}, "d/pos/2.txt is no text|such as d/pos/2.txt"),
        (
            {"train/a/1.txt": "x", "train/a/2.txt": "x", "b/2.txt": "y"},
            "train/a/1.txt is in train.*, and b/2",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, members: Mapping[str, str | bytes], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _rows(_read(tmp_path, members))


@pytest.mark.parametrize("limits", [Limits(max_cell_bytes=3), Limits(max_classes=1), Limits(max_rows=2)])
def test_limits(tmp_path: Path, limits: Limits) -> None:
    with pytest.raises(OverLimit, match=r"the limit max_\w+ is"):
        _rows(_read(tmp_path, PAIR, limits))


@pytest.mark.parametrize(
    "names", ["train/a.txt test/b.txt", "train/books/1.txt train/books/2.txt", "train/pos/all.txt train/neg/all.txt"]
)
def test_running_texts_are_read_line_by_line(tmp_path: Path, names: str) -> None:
    (tmp_path / "a.zip").write_bytes(zipped([(name, b"one\ntwo\n") for name in names.split()]))
    assert sniff("a.zip", tmp_path / "a.zip") == "files"
    rows = sum(map(len, FORMATS["files"](tmp_path / "a.zip", Limits()).batches))
    assert rows == 2 * len(names.split())
