"""Zips of data files, and what a file is taken for."""

import gzip
import io
import resource
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from models.data.formats import FORMATS, sniff, split_files
from models.data.formats.limits import Limits
from models.data.table import Source
from models.errors import DataError
from tests.files import zipped


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _rows(source: Source) -> list[dict[str, Any]]:
    return [row for batch in source.batches for row in batch.to_pylist()]


def test_files_become_parts(tmp_path: Path) -> None:
    members = {"test.csv": b"a,b\n5,6\n", "d/train.csv": b"a,b\n1,2\n3\n4,4\n", "readme.txt": b"hello"}
    source = split_files.read(_zip(tmp_path / "a.zip", members), Limits())
    assert (source.part, source.untyped) == ("part", True)
    assert [row["part"] for row in _rows(source)] == ["train", "train", "test"]
    assert source.skipped == [2]
    assert source.warnings[0].message.startswith("d/train.csv: ")


def test_a_file_alone_and_shards(tmp_path: Path) -> None:
    assert _rows(split_files.read(_zip(tmp_path / "a.zip", {"x.txt": b"a\nb"}), Limits())) == [
        {"text": "a"},
        {"text": "b"},
    ]
    shards = {}
    for number, values in enumerate([[1, 2], [0.5]]):
        buffer = io.BytesIO()
        pq.write_table(pa.table({"a": values}), buffer)
        shards[f"train-{number}.parquet"] = buffer.getvalue()
    rows = _rows(split_files.read(_zip(tmp_path / "b.zip", shards), Limits()))
    assert [row["a"] for row in rows] == [1.0, 2.0, 0.5]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"train.csv": b"a\n1\n", "test.csv": b"b\n1\n"}, "differ in the columns a, b"),
        ({"train.csv": b"a\n1\n", "test.jsonl": b'{"a": 1}'}, "have different formats"),
        ({"one.csv": b"a\n1\n", "two.csv": b"a\n1\n"}, "Name the files train, val and test"),
        ({"train.csv": b"part\n1\n"}, "column called 'part'"),
        ({"train.csv": b"a\n1\n", "test.csv": b"a\n"}, "test.csv contains no rows"),
        ({"train.csv": b"a\n\xff\n"}, "train.csv: Line 2 is not UTF-8"),
        ({"train.jsonl": b'{"a": "x"}', "test.jsonl": b'{"a": 1}'}, "Give both the same type"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _rows(split_files.read(_zip(tmp_path / "a.zip", members), Limits()))


@pytest.mark.parametrize(
    ("filename", "content", "message"),
    [
        ("a.pkl", b"x", "'a.pkl' has an unknown format. Upload .csv, .tsv"),
        ("a", b"x", "has an unknown format"),
        ("a.csv", b"", "is empty"),
        ("a.csv.gz", b"a,b\n1,2\n", "is not a gzip file"),
        ("a.tar.gz", b"\x1f\x8b", "has an unknown format"),
        ("a.parquet.gz", b"\x1f\x8b", "has an unknown format"),
        ("a.csv", b"PK\x03\x04", "is not a text file"),
        ("a.txt", b"\0\1", "is not a text file"),
        ("a.parquet", b"a,b", "is not a .parquet file"),
        ("a.npz", b"\x93NUMPY", "is not a .npz file"),
    ],
)
def test_sniffing_refuses(tmp_path: Path, filename: str, content: bytes, message: str) -> None:
    (tmp_path / "upload").write_bytes(content)
    with pytest.raises(DataError, match=message):
        sniff(filename, tmp_path / "upload")


def test_sniffing_knows_every_format(tmp_path: Path) -> None:
    npz, parquet = io.BytesIO(), io.BytesIO()
    np.savez(npz, x=np.ones(1))
    pq.write_table(pa.table({"a": [1]}), parquet)
    uploads = {
        "csv": ("a.CSV", b"a\n1"),
        "tsv": ("a.tsv", b"a\n1"),
        "jsonl": ("a.jsonl", b"{}"),
        "json": ("a.json", b"[{}]"),
        "txt": ("a.txt", b"a"),
        "xlsx": ("a.xlsx", b"PK\x03\x04"),
        "npz": ("a.npz", npz.getvalue()),
        "parquet": ("a.parquet", parquet.getvalue()),
        "images": ("a.zip", _zip(tmp_path / "1", {"a/1.png": b""}).read_bytes()),
        "idx": ("a.zip", _zip(tmp_path / "2", {"images-idx3-ubyte.gz": b""}).read_bytes()),
        "texts": ("a.zip", _zip(tmp_path / "5", {"a/1.txt": b"", "a/2.txt": b"", "b/1.txt": b""}).read_bytes()),
        "files": ("a.zip", _zip(tmp_path / "3", {"train.csv": b""}).read_bytes()),
    }
    assert uploads.keys() == FORMATS.keys()
    for name, (filename, content) in uploads.items():
        (tmp_path / "upload").write_bytes(content)
        assert sniff(filename, tmp_path / "upload") == name
    (tmp_path / "upload").write_bytes(gzip.compress(b"a\n1"))
    assert sniff("a.CSV.GZ", tmp_path / "upload") == "csv"
    with pytest.raises(DataError, match=r"The zip contains a\.exe"):
        sniff("a.zip", _zip(tmp_path / "4", {"a.exe": b""}))


def test_thousands_of_shards_need_no_open_files(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    archive = _zip(tmp_path / "a.zip", {f"train-{at:04}.csv": b"a,b\n1,%d\nx\n" % at for at in range(400)})
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    try:
        source = split_files.read(archive, Limits())
        rows = [row for batch in source.batches for row in batch.column("b").to_pylist()]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert rows == [str(at) for at in range(400)]
    assert source.skipped == [2 * at + 2 for at in range(400)]


def test_pictures_of_all_files_have_one_size(tmp_path: Path) -> None:
    """The hub divides a dataset into files; the pictures of each may have other sizes."""

    def shard(sizes: list[tuple[int, int]]) -> bytes:
        cells = []
        for size in sizes:
            held = io.BytesIO()
            Image.new("L", size, 9).save(held, "PNG")
            cells.append({"bytes": held.getvalue()})
        held = io.BytesIO()
        pq.write_table(pa.table({"image": cells, "label": ["a"] * len(cells)}), held)
        return held.getvalue()

    members = [
        ("data/train-00000-of-00002.parquet", shard([(6, 4)] * 3)),
        ("data/train-00001-of-00002.parquet", shard([(9, 9)])),
        ("data/test-00000-of-00001.parquet", shard([(6, 4), (2, 2)])),
    ]
    (tmp_path / "a.zip").write_bytes(zipped(members))
    source = split_files.read(tmp_path / "a.zip", Limits())
    rows = [row for batch in source.batches for row in batch.to_pylist()]
    assert source.layouts["image"].shape == (4, 6, 1)
    assert [row["part"] for row in rows] == ["train"] * 4 + ["test"] * 2
    assert {row["image"] for row in rows} == {bytes([9]) * 24}
    assert [(warned.code, warned.rows) for warned in source.warnings] == [("resized_images", [4, 6])]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            "train/cats.csv train/dogs.csv test.csv",
            "the rows of 2 files are joined, such as train/cats.csv and train/dogs",
        ),
        ("train-00000-of-00002.csv train-00001-of-00002.csv test-00000-of-00001.csv", None),
        ("train-0-0a1b2c3d4e5f.csv train-1-fedcba9876.csv", None),
        ("data/train/part-1.csv data/train/part-2.csv", None),
        ("train_1.csv train_2.csv TEST.csv", None),
        (
            "train.csv test.csv more.csv readme.txt",
            "1 file was left out, because others give the parts or the table: more",
        ),
        ("train.csv texts.txt", "1 file was left out"),
    ],
)
def test_names_that_are_lost_are_said(tmp_path: Path, names: str, said: str | None) -> None:
    members = dict.fromkeys(names.split(), b"a,b\n1,2\n")
    source = split_files.read(_zip(tmp_path / "a.zip", members), Limits())
    assert len(_rows(source)) <= len(members)
    assert [each.message[: len(said or "")] for each in source.warnings] == ([said] if said else [])
