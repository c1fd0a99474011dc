"""Work in proportion to the file: hostile files are refused soon, costly ones take what the formula says."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from athanor.processes import confinement
from models.data.formats.limits import MIB, Limits
from tests.files import listed, parquet, zipped

ROOT = Path(__file__).parents[3]

MEASURED = """
import json, re, sys, time
from models.data.intake.process import main
from models.parts.feature import FEATURES
list(FEATURES)
def peak():
    return int(re.search("VmHWM: *(.*) kB", open("/proc/self/status").read())[1]) << 10
seconds, memory = time.process_time(), peak()
main(sys.argv[1:])
print(json.dumps([time.process_time() - seconds, peak() - memory]), file=sys.stderr)
"""
"""As a child works, without the sandbox. It tells the processor time and the memory that it took in addition.

The peak of getrusage would begin at that of the process of the tests.
"""

MOST_SECONDS, MOST_MEMORY = 5.0, 256 * MIB
"""For a refusal, and for a small file that is accepted. The tests measure processor time: a busy machine changes it
less than the clock's time."""


@dataclass
class Taken:
    answer: dict[str, Any]
    seconds: float
    memory: int
    size: int

    @property
    def error(self) -> str:
        return self.answer["error"] or ""


def _take_in(folder: Path, name: str, content: bytes, hints: str = "{}") -> Taken:
    path = folder / "upload"
    path.write_bytes(content)
    limits = Limits().for_upload(len(content))
    told = json.dumps(asdict(limits))
    command = [
        sys.executable,
        "-c",
        MEASURED,
        "--limits",
        told,
        "--hints",
        hints,
        "--",
        str(path),
        name,
        str(folder / "rows"),
    ]
    environment = confinement.environment(folder)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=120, check=False)
    assert done.stdout, done.stderr.decode()[-2000:]
    seconds, memory = json.loads(done.stderr.decode().splitlines()[-1])
    return Taken(json.loads(done.stdout), seconds, memory, len(content))


def _image(kind: str, size: tuple[int, int], color: int, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", size, color).save(buffer, kind, **options)
    return buffer.getvalue()


def _csv(columns: int, rows: int, cell: Callable[[int, int], str]) -> bytes:
    lines = [",".join(f"c{at}" for at in range(columns))]
    lines += [",".join(cell(row, at) for at in range(columns)) for row in range(rows)]
    return ("\n".join(lines) + "\n").encode()


def _scans(count: int) -> bytes:
    data = _image("JPEG", (2000, 2000), 9, progressive=True)
    last, end = data.rfind(b"\xff\xda"), data.rfind(b"\xff\xd9")
    return data[:end] + data[last:end] * count + data[end:]


def _onehot(rows: int, columns: int) -> dict[str, Any]:
    kinds = np.random.default_rng(0).integers(0, columns, rows)
    return {f"c{at}": pa.array(kinds == at) for at in range(columns)}


REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "more columns than bytes for them": ("a.csv", lambda: _csv(9000, 3, lambda *_: "1"), "max_columns is"),
    "a key of its own in each row": (
        "a.jsonl",
        lambda: b"".join(b'{"k%d": %d}\n' % (at, at) for at in range(8000)),
        "max_text_cells is",
    ),
    "the same in a zip": (
        "a.zip",
        lambda: zipped([("train.jsonl", b"".join(b'{"k%d": %d}\n' % (at, at) for at in range(8000)))]),
        "train.jsonl: The table with a column for each key",
    ),
    "a JPEG of many scans": ("a.zip", lambda: zipped([("a/1.jpg", _scans(1000))]), "max_pixels is"),
    "members that overlap": ("a.zip", lambda: listed(900), "overlaps another member"),
    "rows of nothing": ("a.parquet", lambda: parquet({"a": pa.nulls(9_000_000)}), "max_cells is"),
    "long lists repeated": ("a.parquet", lambda: parquet({"a": pa.array([["a"] * 1000] * 1000)}), "max_text_cells is"),
    "texts that differ at their ends": (
        "a.parquet",
        lambda: parquet({"a": pa.array(["a b " * 300 + str(at) for at in range(9000)])}),
        "max_text_bytes is",
    ),
    "classes of many columns": (
        "a.parquet",
        lambda: parquet({f"c{at}": pa.array([f"{row % 500:0190}" for row in range(5000)]) for at in range(30)}),
        "max_schema_bytes is|max_text_bytes is",
    ),
    "line ends": ("a.zip", lambda: zipped([("train.txt", b"\n" * 1_000_000)]), "max_text_cells is"),
    "commas": ("a.zip", lambda: zipped([("train.csv", b"a,b,c,d\n" + b",,,\n" * 250_000)]), "max_text_cells is"),
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


def test_small_images_are_not_made_large(tmp_path: Path) -> None:
    content = zipped([(f"{at % 2}/{at}.png", _image("PNG", (1 + at, 3), 0)) for at in range(300)])
    hints = '{"features": {"image": {"kind": "image", "size": 1024}}}'
    taken = _take_in(tmp_path, "a.zip", content, hints)
    assert "resized to 1024×1024, are too many pixels; the limit max_pixels is" in taken.error
    assert taken.seconds < MOST_SECONDS and taken.memory < MOST_MEMORY, taken


ACCEPTED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "parts times columns": ("a.csv", lambda: _csv(1000, 10, lambda row, at: ["train", "", "test"][(row + at) % 3])),
    "many keys": ("a.jsonl", lambda: b"".join(b'{"k%d": 1}\n' % (at % 90) for at in range(9000))),
    "categories": ("a.parquet", lambda: parquet({"a": pa.array(["some words", "others", None] * 500_000)})),
    "one-hot columns": ("a.parquet", lambda: parquet(_onehot(20_000, 100))),
    "a one-hot array": ("a.npz", lambda: _npz(np.eye(90)[np.random.default_rng(0).integers(0, 90, 20_000)])),
    "one long text repeated": (
        "a.parquet",
        lambda: parquet({"a": pa.array([" ".join(f"w{at}" for at in range(300))] * 9000)}),
    ),
    "small images and a few large ones": (
        "a.zip",
        lambda: zipped(
            [(f"{at % 2}/{at}.png", _image("PNG", (1 + at, 3), 0)) for at in range(300)]
            + [(f"0/large{at}.png", _image("PNG", (3500, 3500), 0)) for at in range(2)]
        ),
    ),
    "tags": (
        "a.parquet",
        lambda: parquet({f"c{at}": pa.array([["x" * 150 + str(k) for k in range(900)]]) for at in range(12)}),
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


def test_three_times_the_columns_take_about_three_times_the_time(tmp_path: Path) -> None:
    """A loop that is quadratic in the columns would take nine times as long."""
    few, many = (
        min(_take_in(tmp_path, "a.csv", _csv(columns, 60, lambda *_: "1")).seconds for _ in range(3))
        for columns in (700, 2100)
    )
    assert many < 6 * few, (few, many)
