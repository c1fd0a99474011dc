"""Work in proportion to the file: hostile files are refused soon, costly ones take what the formula says."""

import gzip
import io
import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from athanor.processes import confinement
from models.data.formats.limits import MIB, Limits

ROOT = Path(__file__).parents[3]

MEASURED = """
import json, resource, sys
from models.data.intake.process import main
from models.parts.feature import FEATURES
list(FEATURES)
before = resource.getrusage(resource.RUSAGE_SELF)
code = main(sys.argv[1:])
after = resource.getrusage(resource.RUSAGE_SELF)
seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps([seconds, (after.ru_maxrss - before.ru_maxrss) << 10]), file=sys.stderr)
"""
"""As a child works, without the sandbox. It tells the processor time and the memory that it took in addition."""

MOST_SECONDS, MOST_MEMORY = 5.0, 256 * MIB
"""For a refusal, and for a small file that is accepted. The tests take processor time, which a busy machine raises
less than the time on the wall."""


@dataclass
class Taken:
    answer: dict[str, Any]
    seconds: float
    memory: int
    size: int

    @property
    def error(self) -> str:
        return self.answer["error"] or ""


def _take_in(folder: Path, name: str, content: bytes) -> Taken:
    path = folder / "upload"
    path.write_bytes(content)
    limits = Limits().for_upload(len(content))
    told = json.dumps({field: getattr(limits, field) for field in limits.__dataclass_fields__})
    command = [sys.executable, "-c", MEASURED, "--limits", told, "--", str(path), name, str(folder / "rows")]
    environment = confinement.environment(folder)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=120, check=False)
    assert done.stdout, done.stderr.decode()[-2000:]
    seconds, memory = json.loads(done.stderr.decode().splitlines()[-1])
    return Taken(json.loads(done.stdout), seconds, memory, len(content))


def _zip(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def _parquet(columns: dict[str, Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd", **options)
    return buffer.getvalue()


def _image(kind: str, size: tuple[int, int], color: int, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", size, color).save(buffer, kind, **options)
    return buffer.getvalue()


def _csv(columns: int, rows: int, cell: Callable[[int, int], str]) -> bytes:
    lines = [",".join(f"c{at}" for at in range(columns))]
    lines += [",".join(cell(row, at) for at in range(columns)) for row in range(rows)]
    return ("\n".join(lines) + "\n").encode()


def _listed_members(count: int) -> bytes:
    """A zip whose directory names `count` files, all of them at the same place and empty."""
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, 0, 0, 0, 5, 0) + b"a.csv"
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0) + b"a.csv"
    start, size = len(local), len(entry) * count
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
    end += struct.pack("<4sLQL", b"PK\6\7", 0, start + size, 1)
    end += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    return local + entry * count + end


def _scans(count: int) -> bytes:
    data = _image("JPEG", (2000, 2000), 9, progressive=True)
    last, end = data.rfind(b"\xff\xda"), data.rfind(b"\xff\xd9")
    return data[:end] + data[last:end] * count + data[end:]


def _animated(frames: int) -> bytes:
    first, *rest = (Image.new("RGB", (1500, 1500), (level, 0, 0)) for level in range(frames))
    buffer = io.BytesIO()
    first.save(buffer, "WEBP", save_all=True, append_images=rest, lossless=True, quality=0, method=0)
    return buffer.getvalue()


def _idx(rows: int) -> bytes:
    images = b"\0\0\x08\x03" + struct.pack(">3L", rows, 28, 28) + bytes(rows * 784)
    return _zip([("images.idx3-ubyte.gz", gzip.compress(images))])


def _onehot(rows: int, columns: int) -> dict[str, Any]:
    kinds = np.random.default_rng(0).integers(0, columns, rows)
    return {f"c{at}": pa.array(kinds == at) for at in range(columns)}


REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "more columns than bytes for them": ("a.csv", lambda: _csv(9000, 3, lambda *_: "1"), "max_columns is"),
    "parts times columns": (
        "a.csv",
        lambda: _csv(1000, 10, lambda row, at: ["train", "", "test"][(row + at) % 3]),
        "16 may",
    ),
    "a key of its own in each row": (
        "a.jsonl",
        lambda: b"".join(b'{"k%d": %d}\n' % (at, at) for at in range(8000)),
        "max_text_cells is",
    ),
    "the same in a zip": (
        "a.zip",
        lambda: _zip([("train.jsonl", b"".join(b'{"k%d": %d}\n' % (at, at) for at in range(8000)))]),
        "train.jsonl: The table with a column for each key",
    ),
    "and in many files": (
        "a.zip",
        lambda: _zip([(f"train-{at}.jsonl", b"".join(b'{"k%d": 1}\n' % at for at in range(300))) for at in range(90)]),
        "The table of all files has more than",
    ),
    "large images": (
        "a.zip",
        lambda: _zip([(f"{at % 2}/{at}.png", _image("PNG", (4096, 4096), at)) for at in range(12)]),
        "max_pixels is",
    ),
    "small images as large as a few": (
        "a.zip",
        lambda: _zip(
            [(f"{at % 2}/{at}.png", _image("PNG", (1 + at, 3), 0)) for at in range(300)]
            + [(f"0/large{at}.png", _image("PNG", (3500, 3500), 0)) for at in range(2)]
        ),
        "resized to the most common size of 3500×3500",
    ),
    "a JPEG of many scans": ("a.zip", lambda: _zip([("a/1.jpg", _scans(1000))]), "max_pixels is"),
    "animations": ("a.zip", lambda: _zip([(f"a/{at}.webp", _animated(3)) for at in range(20)]), "max_pixels is"),
    "a million members": ("a.zip", lambda: _listed_members(1_000_000), "The zip lists too many files"),
    "a million arrays": ("a.npz", lambda: _listed_members(1_000_000), "The zip lists too many files"),
    "members that overlap": ("a.zip", lambda: _listed_members(900), "overlaps another member"),
    "a long name": ("a.zip", lambda: _zip([("a/" + "x" * 60_000 + ".png", b"")]), "more than 1,000 characters"),
    "a text repeated": ("a.parquet", lambda: _parquet({"a": pa.array(["a" * 999_999] * 300)}), "bytes of memory"),
    "rows of nothing": ("a.parquet", lambda: _parquet({"a": pa.nulls(9_000_000)}), "max_cells is"),
    "long lists repeated": ("a.parquet", lambda: _parquet({"a": pa.array([["a"] * 1000] * 1000)}), "max_text_cells is"),
    "vectors repeated": (
        "a.parquet",
        lambda: _parquet({"a": pa.array(np.zeros((20_000, 500), np.float32).tolist())}),
        "numbers in lists; the limit max_cells is",
    ),
    "texts that differ at their ends": (
        "a.parquet",
        lambda: _parquet({"a": pa.array(["a b " * 300 + str(at) for at in range(9000)])}),
        "max_text_bytes is",
    ),
    "many distinct words": (
        "a.parquet",
        lambda: _parquet(
            {"a": pa.array([f"w{at:07}" for at in range(900_000)])},
            use_dictionary=False,
            column_encoding={"a": "DELTA_BYTE_ARRAY"},
        ),
        "distinct",
    ),
    "classes of many columns": (
        "a.parquet",
        lambda: _parquet({f"c{at}": pa.array([f"{row % 500:0190}" for row in range(5000)]) for at in range(30)}),
        "max_schema_bytes is|max_text_bytes is",
    ),
    "gzip in a zip": ("a.zip", lambda: _idx(60_000), "zip_ratio is"),
    "zeros": ("a.npz", lambda: _npz(np.zeros((9000, 5000), np.uint8)), "zip_ratio is"),
    "long words of tags": (
        "a.parquet",
        lambda: _parquet({f"c{at}": pa.array([[f"{word:0190}" for word in range(800)]]) for at in range(700)}),
        "A row group of the Parquet file has",
    ),
    "line ends": ("a.zip", lambda: _zip([("train.txt", b"\n" * 1_000_000)]), "max_text_cells is"),
    "commas": ("a.zip", lambda: _zip([("train.csv", b"a,b,c,d\n" + b",,,\n" * 250_000)]), "max_text_cells is"),
    "JSON without end": ("a.jsonl", lambda: b"[" * 500_000, "nested too deeply"),
}


def _npz(x: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=x, y=np.arange(len(x)) % 3)
    return buffer.getvalue()


@pytest.mark.parametrize("case", REFUSED)
def test_hostile_files_are_refused_soon(tmp_path: Path, case: str) -> None:
    name, make, message = REFUSED[case]
    taken = _take_in(tmp_path, name, make())
    assert any(each in taken.error for each in message.split("|")), taken
    assert taken.seconds < MOST_SECONDS and taken.memory < MOST_MEMORY, taken
    assert not (tmp_path / "rows").exists()


ACCEPTED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "1,000 columns": ("a.csv", lambda: _csv(1000, 4, lambda row, at: "yes" if (row + at) % 2 else "no")),
    "2,000 empty columns": ("a.csv", lambda: _csv(2000, 20, lambda row, at: "" if at else "1")),
    "2,000 columns of few numbers": ("a.csv", lambda: _csv(2000, 99, lambda row, at: str((row + at) % 99))),
    "empty lines": ("a.txt", lambda: b"\n" * 400_000),
    "many keys": ("a.jsonl", lambda: b"".join(b'{"k%d": 1}\n' % (at % 90) for at in range(9000))),
    "small row groups": ("a.parquet", lambda: _parquet({"a": pa.array(range(2000))}, row_group_size=1)),
    "categories": ("a.parquet", lambda: _parquet({"a": pa.array(["some words", "others", None] * 500_000)})),
    "one-hot columns": ("a.parquet", lambda: _parquet(_onehot(20_000, 100))),
    "a one-hot array": ("a.npz", lambda: _npz(np.eye(90)[np.random.default_rng(0).integers(0, 90, 20_000)])),
    "one long text repeated": (
        "a.parquet",
        lambda: _parquet({"a": pa.array([" ".join(f"w{at}" for at in range(300))] * 9000)}),
    ),
    "large images": ("a.zip", lambda: _zip([(f"{at}/a.png", _image("PNG", (4000, 4000), at)) for at in range(2)])),
    "icons": ("a.zip", lambda: _zip([(f"{at % 9}/{at}.png", _image("PNG", (16, 16), at % 99)) for at in range(2000)])),
    "shards": ("a.zip", lambda: _zip([(f"train-{at:05}.csv", b"a,b\n1,2\n3,4\n") for at in range(1500)])),
    "tags": (
        "a.parquet",
        lambda: _parquet({f"c{at}": pa.array([["x" * 150 + str(k) for k in range(900)]]) for at in range(12)}),
    ),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_costly_files_take_what_the_formula_says(tmp_path: Path, case: str) -> None:
    name, make = ACCEPTED[case]
    taken = _take_in(tmp_path, name, make())
    limits = Limits().for_upload(taken.size)
    assert taken.answer["intake"], taken.error
    assert taken.seconds < limits.max_seconds and taken.memory < limits.max_memory_bytes, (taken.seconds, taken.memory)
    assert len(json.dumps(taken.answer)) < 2 * MIB


def test_twice_the_columns_take_twice_the_time(tmp_path: Path) -> None:
    """A loop that is quadratic in the columns would take four times as long."""
    few, many = (
        min(_take_in(tmp_path, "a.csv", _csv(columns, 9, lambda *_: "1")).seconds for _ in range(2))
        for columns in (700, 2100)
    )
    assert many < 6 * few, (few, many)
