"""The rate at which a CSV file becomes a dataset: the reader alone, and all that the child process does with it."""

import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.data.formats import delimited
from models.data.formats.limits import MIB, Limits

SIZE = 200 * 10**6
ROUNDS = 3
ROOT = Path(__file__).parents[1]

_CHILD = """
import json, re, sys, time
from models.data.intake.process import main
from models.parts.feature import FEATURES
list(FEATURES)
def peak():
    return int(re.search("VmHWM: *(.*) kB", open("/proc/self/status").read())[1]) << 10
began, memory = time.perf_counter(), peak()
main(sys.argv[1:])
print(json.dumps([time.perf_counter() - began, peak() - memory]), file=sys.stderr)
"""
"""As the child works, warm. It tells the seconds and the memory that it took in addition. Linux only."""

_WORDS = ("film", "plot", "actor", "great", "dull", "really", "the", "of", "and", "scene", "never", "watch")


def measure() -> dict[str, Any]:
    """Both kinds of files, each several times; the median counts."""
    with tempfile.TemporaryDirectory() as folder:
        return {
            name: _rates(Path(folder), header, row)
            for name, (header, row) in {
                "numbers": ("x,y,n,color,label", _numbers),
                "texts": ("text,label", _text),
            }.items()
        }


def _numbers(chance: random.Random) -> str:
    color = chance.choice(("red", "green", "blue"))
    return (
        f"{chance.gauss(0, 1):.6f},{chance.gauss(5, 2):.4f},{chance.randrange(1000)},{color},{chance.choice('abcde')}"
    )


def _text(chance: random.Random) -> str:
    words = " ".join(chance.choices(_WORDS, k=30))
    return f'"{words}, or ""not""",{chance.choice(("pos", "neg"))}'


def _rates(folder: Path, header: str, row: Callable[[random.Random], str]) -> dict[str, float]:
    path = folder / "upload.csv"
    chance = random.Random(0)  # nosec B311
    rows = "".join(row(chance) + "\n" for _ in range(100_000))
    with path.open("w") as file:
        file.write(header + "\n")
        while file.tell() < SIZE:
            file.write(rows)
    size = path.stat().st_size
    read, child, processor, memory = [], [], [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _batch in delimited.read(path, Limits()).batches:
            pass
        read.append(time.perf_counter() - began)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds, peak = _child(folder, path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        child.append(seconds)
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        memory.append(peak)
    return {
        "megabytes": round(size / 1e6),
        "reader_mb_per_s": round(size / 1e6 / statistics.median(read)),
        "child_mb_per_s": round(size / 1e6 / statistics.median(child)),
        "child_processor_s": round(statistics.median(processor), 1),
        "child_peak_mib": round(statistics.median(memory) / MIB),
    }


def _child(folder: Path, path: Path) -> tuple[float, int]:
    limits = json.dumps(asdict(Limits().for_upload(path.stat().st_size)))
    arguments = ["--limits", limits, "--", str(path), "upload.csv", str(folder / "rows.parquet")]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, *arguments],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(folder)},
        capture_output=True,
        check=True,
    )
    seconds, peak = json.loads(done.stderr.decode().splitlines()[-1])
    return seconds, peak
