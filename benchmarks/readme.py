"""README's tables of figures, made from benchmarks/results and nothing else."""

import json
from pathlib import Path
from typing import Any

from benchmarks.result import FOLDER

README = Path(__file__).parents[1] / "README.md"


def figures() -> str:
    """What the service costs, as Markdown; a benchmark that was not run has no line."""
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


def published() -> str:
    """What was learned beside what papers report, as Markdown, one study after the other."""
    lines = ["| what | reported | bar | ours, mean (n) | |", "|---|---|---|---|---|"]
    for path in sorted((FOLDER / "published").glob("*.json")):
        for row in json.loads(path.read_text())["rows"]:
            bar = f"{'≥' if row['better'] == 'more' else '≤'} {row['bar']:.{row['digits']}f} {row['unit']}"
            ours = f"{row['mean']:.{row['digits']}f} ({len(row['values'])})"
            verdict = "reached" if row["reached"] else "**missed**"
            lines.append(f"| {row['what']} | {row['published']} | {bar} | {ours} | {verdict} |")
    return "\n".join(lines) + "\n"


BLOCKS = {"figures": figures, "published": published}


def block(name: str) -> str:
    """What README holds between the markers of that name now."""
    text = README.read_text()
    start, stop = _edges(text, name)
    return text[start:stop]


def rewrite() -> None:
    for name, table in BLOCKS.items():
        text = README.read_text()
        start, stop = _edges(text, name)
        README.write_text(text[:start] + table() + text[stop:])


def _edges(text: str, name: str) -> tuple[int, int]:
    begin = f"<!-- {name} -->\n"
    return text.index(begin) + len(begin), text.index(f"<!-- /{name} -->")


def _measured(name: str) -> dict[str, Any] | None:
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text())["measured"] if path.exists() else None
