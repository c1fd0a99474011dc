"""The tables of figures in README and docs. They are generated from benchmarks/results only."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.result import FOLDER

README = Path(__file__).parents[1] / "README.md"


def figures() -> str:
    """Start times and metric throughput as a Markdown table. A benchmark without a result has no line."""
    lines = ["| what | figure | command |", "|---|---|---|"]
    if start := measured("start"):
        for mode, label in (("embedded", "embedded"), ("celery", "PostgreSQL, Redis, Celery")):
            took = start[mode]
            span = f"{took['median_ms']:.0f} ms ({took['min_ms']:.0f} to {took['max_ms']:.0f})"
            lines.append(
                f"| submit to first step, one job after another, {label} | {span} | `python -m benchmarks start` |"
            )
            if rate := took.get("tiny_jobs_per_s"):
                lines.append(f"| tiny jobs, one slot, {label} | {rate} /s | `python -m benchmarks start` |")
    if points := measured("points"):
        for database, label in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL")):
            took = points[database]
            figure = f"{took['write_points_per_s']:,} points/s, {took['bytes_per_point']} bytes each"
            lines.append(f"| metric points written, {label} | {figure} | `python -m benchmarks points` |")
            figure = f"{took['read_1000_of_all_ms']:.0f} ms"
            lines.append(f"| 1,000 of 200,000 points read, {label} | {figure} | `python -m benchmarks points` |")
    for what, took in measured("tables").items():
        figure = f"{took['child_mb_per_s']} MB/s, the reader alone {took['reader_mb_per_s']} MB/s"
        lines.append(f"| a CSV file of {what} becomes a dataset | {figure} | `python -m benchmarks tables` |")
    for what, took in measured("rates").items():
        ratio, threads = took["to_better"], took["threads"]
        with_threads = "1 thread" if threads == 1 else f"{threads} threads"
        figure = f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f}), with {with_threads}"
        label = f"samples/s of a job over the better plain PyTorch loop, {what}"
        lines.append(f"| {label} | {figure} | `python -m benchmarks rates` |")
    if norms := measured("observers"):
        low, high = norms["quartiles_percent"]
        figure = f"{norms['median_percent']:.1f} % of a step ({low:.1f} to {high:.1f})"
        lines.append(f"| gradient norms of every layer, observed | {figure} | `python -m benchmarks observers` |")
    for what, took in measured("listeners").items():
        alone, among = took["alone"], took["among listeners"]
        figure = f"p99 {among['p99_ms']:.0f} ms, without them {alone['p99_ms']:.0f} ms"
        lines.append(f"| a request beside 250 listeners to {what} | {figure} | `python -m benchmarks listeners` |")
    return "\n".join(lines) + "\n"


def published() -> str:
    """Our results and the published ones as a Markdown table, one study after the other."""
    lines = ["| what | reported | bar | ours, mean (n) | |", "|---|---|---|---|---|"]
    for path in sorted((FOLDER / "published").glob("*.json")):
        for row in json.loads(path.read_text())["rows"]:
            bar = f"{'≥' if row['better'] == 'more' else '≤'} {row['bar']:.{row['digits']}f} {row['unit']}"
            ours = f"{row['mean']:.{row['digits']}f} ({len(row['values'])})"
            verdict = "reached" if row["reached"] else "**missed**"
            lines.append(f"| {row['what']} | {row['published']} | {bar} | {ours} | {verdict} |")
    return "\n".join(lines) + "\n"


def chaos() -> str:
    """The results of the chaos tests as a Markdown table, one line per mode."""
    lines = ["| service | kills | who died | jobs, attempts, points | violations |", "|---|---|---|---|---|"]
    for mode, label in (("embedded", "SQLite"), ("production", "PostgreSQL, Redis, Celery")):
        if run := measured(f"chaos_{mode}"):
            died = ", ".join(f"{count} {victim}" for victim, count in sorted(run["kills"].items()))
            made = f"{run['jobs']}, {run['attempts']}, {run['points']:,}"
            total = sum(run["kills"].values())
            broken = len(run["violations"])
            lines.append(f"| {label}, seed {run['seed']} | {total:,} | {died} | {made} | {broken} |")
    return "\n".join(lines) + "\n"


def mutants() -> str:
    """Every mutant, and whether a test caught it, as a Markdown table."""
    lines = ["| broken on purpose | |", "|---|---|"]
    for row in measured("mutants").get("table", []):
        lines.append(f"| {row['broken']} (`{row['name']}`) | {'caught' if row['caught'] else '**not caught**'} |")
    return "\n".join(lines) + "\n"


def naive() -> str:
    """The results of naive.py as a Markdown table."""
    runs = measured("naive")
    lines = ["| | " + " | ".join(runs) + " |", "|---|" + "---|" * len(runs)]
    names = list(dict.fromkeys(name for run in runs.values() for name in run))
    lines += [
        f"| {name.replace('_', ' ')} | " + " | ".join(str(run[name]) for run in runs.values()) + " |" for name in names
    ]
    return "\n".join(lines) + "\n"


def stops() -> str:
    """The results of stops.py as a Markdown table: median and worst time in seconds."""
    lines = ["| | n | median | worst |", "|---|---|---|---|"]
    for name, took in measured("stops").items():
        words = name.replace("_", " ")
        lines.append(f"| {words} | {took['n']} | {took['median_s']:.3f} s | {took['max_s']:.3f} s |")
    return "\n".join(lines) + "\n"


def supervision() -> str:
    """The results of supervision.py as a Markdown table: milliseconds per step in the service and alone."""
    lines = ["| | a step in the service | alone | more, median of n (least to most) |", "|---|---|---|---|"]
    for name, pace in measured("supervision").items():
        steps = f"{pace['in_the_service_ms']:.3f} ms | {pace['alone_ms']:.3f} ms"
        span = f"{pace['least_percent']:.1f} to {pace['most_percent']:.1f}"
        lines.append(f"| {name} | {steps} | {pace['overhead_percent']:.1f} % of {pace['rounds']} ({span}) |")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Block:
    """A generated part of a page, between the markers `<!-- name -->` and `<!-- /name -->`."""

    page: Path
    write: Callable[[], str]


DURABILITY = README.parent / "docs" / "durability.md"
RESULTS = README.parent / "docs" / "results.md"
BLOCKS = {
    "figures": Block(README, figures),
    "published": Block(RESULTS, published),
    "chaos": Block(DURABILITY, chaos),
    "mutants": Block(DURABILITY, mutants),
    "naive": Block(DURABILITY, naive),
    "stops": Block(DURABILITY, stops),
    "supervision": Block(DURABILITY, supervision),
}


def block(name: str) -> str:
    """The current text of a block in its page."""
    text = BLOCKS[name].page.read_text()
    start, stop = _edges(text, name)
    return text[start:stop]


def rewrite() -> None:
    for name, block in BLOCKS.items():
        text = block.page.read_text()
        start, stop = _edges(text, name)
        block.page.write_text(text[:start] + block.write() + text[stop:])


def _edges(text: str, name: str) -> tuple[int, int]:
    begin = f"<!-- {name} -->\n"
    return text.index(begin) + len(begin), text.index(f"<!-- /{name} -->")


def measured(name: str) -> dict[str, Any]:
    """The stored result of a benchmark. Empty if the benchmark was not run."""
    path = FOLDER / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text())["measured"] if path.exists() else {}
    return found
