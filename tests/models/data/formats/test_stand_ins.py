"""Files that are no data, and say so."""

import gzip
import time
from pathlib import Path

import pytest

from models.data.formats import FORMATS, sniff
from models.data.formats.limits import Limits
from models.errors import DataError
from tests.files import zipped

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
ANNEX = b"/annex/objects/MD5E-s1234--0cc175b9c0f1b6a831c399e269772661.csv\n"
PAGE = b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html lang=en>\n<p>Log in, please</p></html>\n"
ERROR = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>\n'


@pytest.mark.parametrize(
    "name", ["a.csv", "a.tsv", "a.json", "a.jsonl", "a.parquet", "a.npz", "a.xlsx", "a.zip", "a.csv.gz"]
)
@pytest.mark.parametrize(
    ("content", "said"),
    [(POINTER, "is a pointer of Git LFS"), (ANNEX, "of git-annex"), (PAGE, "is a page"), (ERROR, "is a page")],
)
def test_what_stands_in_the_place_of_data_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / "upload"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        list(FORMATS[sniff(name, path)](path, Limits()).batches)


def test_many_comments_take_no_time(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(b"<!---->" * 70)
    began = time.process_time()
    with pytest.raises(DataError, match="its first bytes are wrong"):
        sniff("a.parquet", path)
    path.write_bytes(b"<!-- a -->\n" * 20 + PAGE[3:])
    with pytest.raises(DataError, match="is a page"):
        sniff("a.parquet", path)
    assert time.process_time() - began < 1


def test_packed_texts_and_members_of_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    for name, content, said in (
        ("a.csv.gz", gzip.compress(PAGE), "The file is a page"),
        ("a.zip", zipped([("train.csv", POINTER)]), r"train\.csv is a pointer of Git LFS.*git lfs pull"),
        ("a.zip", zipped([("a/1.png", POINTER), ("b/2.png", POINTER)]), r"a/1\.png is a pointer"),
        ("a.zip", zipped([("train.parquet", POINTER)]), r"train\.parquet is a pointer"),
        ("a.zip", zipped([("train.csv", PAGE)]), r"train\.csv: The file is a page"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=said):
            list(FORMATS[sniff(name, path)](path, Limits()).batches)


def test_texts_of_the_web_may_be_learned(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    for name, content, rows in (
        ("a.txt", PAGE.strip(), 4),
        ("a.csv", b"page,label\n<html>,a\n<body>,b\n", 2),
        ("a.csv", b'"<html>",a\n"<body>",b\n', 1),
    ):
        path.write_bytes(content)
        assert sum(map(len, FORMATS[sniff(name, path)](path, Limits()).batches)) == rows
    path.write_bytes(POINTER)
    with pytest.raises(DataError, match="pointer"):
        FORMATS["txt"](path, Limits())
