"""The columns of a dataset, and what a job does with each, as tables in a terminal."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from pydantic import JsonValue
from rich.table import Table
from rich.text import Text

from athanor.contract import Column, ColumnRole, Schema
from athanor.terminal.tables import number, table

MOST_CLASSES = 8
MOST_ROWS = 60
"""Rows of a table of roles; below, the rest is counted."""
ROLES = {"input": "green", "target": "bold", "split": "cyan", "weight": "cyan", "left_out": "yellow"}


def reading(kind: str, settings: Mapping[str, JsonValue]) -> str:
    """How a column is read: `number`, or `date, format = %d.%m.%Y`."""
    said = (f"{name} = {value if isinstance(value, str) else json.dumps(value)}" for name, value in settings.items())
    return ", ".join((kind, *said))


def described(schema: Schema) -> Table:
    """How each column of a dataset is read, and what is in it."""
    made = table("column", "read as", "missing", "distinct", "content")
    for column in schema.columns:
        mark = " (target)" if column.name == schema.target else ""
        distinct = "many" if column.distinct is None else str(column.distinct)
        read = Text(reading(column.kind, column.settings))
        made.add_row(Text(column.name + mark), read, str(column.missing), distinct, Text(_content(column)))
    return made


def doubts(schema: Schema) -> list[Text]:
    """A line for each column that may have to be read in another way, or that a job leaves out."""
    lines = []
    for column in schema.columns:
        if column.guess:
            lines.append(Text.assemble((f"{column.name}: ", "bold"), f"read as {column.kind}, a guess: {column.guess}"))
        if column.left_out:
            lines.append(Text.assemble((f"{column.name}: ", "bold"), f"left out of jobs: {column.left_out}"))
    return lines


def roles(columns: Sequence[ColumnRole]) -> Table:
    """What a job does with each column. Columns side by side of which the same is to be said share a row."""
    made = table("column", "role", "read as", "note")
    groups = list(_groups(columns))
    for names, column in groups[:MOST_ROWS]:
        role = Text(column.role.replace("_", " "), style=ROLES[column.role])
        if column.input is not None:
            role.append(f" {column.input}", style="none")
        made.add_row(Text(names), role, Text(reading(column.kind, column.settings)), Text(_note(column)))
    if len(groups) > MOST_ROWS:
        made.add_row(f"… {len(groups) - MOST_ROWS:,} more rows; --json shows every column", "", "", "")
    return made


def _groups(columns: Sequence[ColumnRole]) -> Iterator[tuple[str, ColumnRole]]:
    """(name, column); a name stands for several columns as `first … last (64 columns)`."""
    for _, group in groupby(columns, key=lambda each: each.model_dump_json(exclude={"name"})):
        first, *rest = group
        yield (f"{first.name} … {rest[-1].name} ({len(rest) + 1:,} columns)" if rest else first.name), first


def _note(column: ColumnRole) -> str:
    guess = f"a guess: {column.guess}" if column.guess else None
    unseen = f"about {column.unseen:.0%} unseen words in new rows" if column.unseen is not None else None
    return "; ".join(filter(None, (column.reason, unseen, guess)))


def _content(column: Column) -> str:
    if column.classes and column.counts:
        pairs = list(zip(column.classes, column.counts, strict=True))
        more = " …" if len(pairs) > MOST_CLASSES else ""
        return ", ".join(f"{name} {count}" for name, count in pairs[:MOST_CLASSES]) + more
    if column.shape:
        return " × ".join(map(str, column.shape))
    if column.mean is not None:
        return f"{number(column.min)} to {number(column.max)}, mean {number(column.mean)}"
    if column.vocabulary is not None:
        return f"{column.vocabulary:,} words, up to {column.max_length} in a row"
    return ""
