"""README's table of figures, made from benchmarks/results and nothing else."""

import json
from pathlib import Path
from typing import Any

from benchmarks.result import FOLDER

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->"


def table() -> str:
    """The table as Markdown; a benchmark that was not run has no line."""
    lines = ["| what | figure | command |", "|---|---|---|"]
    if start := _measured("start"):
        for mode, said in (("embedded", "embedded"), ("celery", "PostgreSQL, Redis, Celery")):
            took = start[mode]
            span = f"{took['median_ms']:.0f} ms ({took['min_ms']:.0f} to {took['max_ms']:.0f})"
            lines.append(f"| submit to first step, warm, {said} | {span} | `python -m benchmarks start` |")
    if points := _measured("points"):
        for database, said in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL")):
            took = points[database]
            figure = f"{took['write_points_per_s']:,} points/s, {took['bytes_per_point']} bytes each"
            lines.append(f"| metric points written, {said} | {figure} | `python -m benchmarks points` |")
            figure = f"{took['read_1000_of_all_ms']:.0f} ms"
            lines.append(f"| 1,000 of 200,000 points read, {said} | {figure} | `python -m benchmarks points` |")
    return "\n".join(lines) + "\n"


def block() -> str:
    """What README holds between the markers now."""
    text = README.read_text()
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)]


def rewrite() -> None:
    text = README.read_text()
    start, stop = text.index(BEGIN) + len(BEGIN), text.index(END)
    README.write_text(text[:start] + table() + text[stop:])


def _measured(name: str) -> dict[str, Any] | None:
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text())["measured"] if path.exists() else None
