"""Predictions as tables in a terminal, with what is worth knowing about them."""

import csv
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.text import Text

from athanor.contract import PredictedFile, Predictions, Remarks
from athanor.terminal.remarks import warnings
from athanor.terminal.tables import number, table

LONGEST = 60
"""Characters of a row, and of a cell."""
LARGEST_CELL = 2**20
"""Characters of the largest cell that the service reads."""


def rows(answer: Predictions, given: Sequence[Any]) -> Group:
    made = table("row", "prediction", "probability")
    for row, one in zip(given, answer.predictions, strict=False):
        shown = row if isinstance(row, str) else json.dumps(row)
        predicted = (
            number(float(one["value"])) if "value" in one else one.get("label", one.get("text", one.get("tags")))
        )
        probability = one.get("probabilities", {}).get(one.get("label"))
        made.add_row(
            Text(_short(shown)),
            Text(str(predicted), style="bold"),
            "" if probability is None else f"{probability:.0%}",
        )
    return Group(made, *told(answer))


def told(found: Remarks) -> list[Text]:
    """A line for the scores, and one for each warning."""
    lines = []
    if found.scores is not None:
        measured = ", ".join(f"{name} {number(value)}" for name, value in found.scores.metrics.items())
        left_out = f"; {found.scores.left_out:,} without a known target" if found.scores.left_out else ""
        lines.append(Text(f"scores of {found.scores.rows:,} rows: {measured or 'none'}{left_out}"))
    lines += warnings(found.warnings)
    if isinstance(found, PredictedFile) and found.more_warnings:
        lines.append(Text(f"{found.more_warnings:,} more warnings", style="yellow"))
    return lines


def summary(path: Path, found: PredictedFile) -> Group:
    """Where the answers of a file are, and what is worth knowing about them."""
    return Group(Text(f"{path}  {found.rows:,} rows"), *told(found))


def first_rows(path: Path, most: int, found: PredictedFile) -> Group:
    """The first rows of a file of answers, and how to have them all."""
    with path.open(encoding="utf-8", newline="") as stream:
        if path.suffix.lower() in (".jsonl", ".ndjson"):
            held = [json.loads(line) for line in islice(stream, most)]
            names, cells = list(held[0]) if held else [], [[*map(json.dumps, row.values())] for row in held]
        else:
            csv.field_size_limit(LARGEST_CELL)
            first = stream.readline()
            stream.seek(0)
            # The answers have the delimiter of the rows.
            delimiter = max(",;\t|", key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))
            names, *cells = islice(csv.reader(stream, delimiter=delimiter), most + 1)
    made = table(*names)
    for row in cells:
        made.add_row(*(Text(_short(cell)) for cell in row))
    more = [Text(f"{found.rows:,} rows; write them all with -o FILE")] if found.rows > most else []
    return Group(made, *more, *told(found))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
