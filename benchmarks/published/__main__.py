"""`python -m benchmarks.published --data DIR [name …]`: every study, or those named, on a service of its own."""

import argparse
import json
import os
import tempfile
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from athanor.demo.temporary_service import service
from benchmarks import pages, result
from benchmarks.published import STUDIES
from benchmarks.published.study import Lab, Row, Study

FOLDER = result.FOLDER / "published"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.published", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(STUDIES))
    parser.add_argument("--data", type=Path, default=os.environ.get("BENCHMARKS_DATA"), help="or BENCHMARKS_DATA")
    asked = parser.parse_args()
    if asked.data is None or not asked.data.is_dir():
        parser.error("name the folder of data with --data or BENCHMARKS_DATA")
    for name in asked.names:
        if name not in STUDIES:
            parser.error(f"there is no study '{name}'; there are {', '.join(STUDIES)}")
    for name in asked.names or STUDIES:
        _run(name, STUDIES[name], asked.data)
    pages.rewrite()


def _run(name: str, study: Study, data: Path) -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, service(workers=1) as client:
        lab = Lab(client, data, Path(scratch))
        rows = study.measure(lab)
    for row in rows:
        print(f"{'reached' if row.reached else 'MISSED '}  {row.what}: {row.mean:.4g} {row.unit}, bar {row.bar:g}")
    document = {
        "machine": {**result.machine(), "scikit-learn": version("scikit-learn"), "athanor": version("athanor")},
        "command": f"python -m benchmarks.published {name}",
        "seconds": round(time.monotonic() - started),
        "paper": study.paper,
        "how": study.how,
        "rows": [_line(row) for row in rows],
        "specs": lab.specs,
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _line(row: Row) -> dict[str, object]:
    values = [round(value, 6) for value in row.values]
    return {**asdict(row), "values": values, "mean": round(row.mean, 6), "reached": row.reached}


if __name__ == "__main__":
    main()
