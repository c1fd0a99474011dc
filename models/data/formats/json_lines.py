"""JSON: an object per line, or an array of objects; each key is a column."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from athanor.contract import Hints, Warned
from models.data.columns import shown
from models.data.counted import counted
from models.data.formats.conversations import Form, form_of, silent
from models.data.formats.json_objects import Located, Repeats, is_array, objects
from models.data.formats.limits import Limits
from models.data.formats.lines import batched
from models.data.formats.text_file import TextFile, open_text
from models.data.table import Layout, Source
from models.errors import DataError

MOST_AXES = 3
"""Of arrays in nested lists: those of a picture."""
_SHOWN = 10
Kind = Literal["boolean", "number", "string", "strings", "numbers", "empty list"]


@dataclass
class _Key:
    """The type of the values of one key, as found in the first pass over the file."""

    kind: Kind | None = None
    line: int = 0
    shape: tuple[int, ...] = ()
    whole: bool = True


def read(path: Path, limits: Limits, hints: Hints = Hints()) -> Source:  # noqa: B008 -- frozen
    """Values are strings, numbers, booleans, lists of strings (tokens) or lists of numbers of one length (arrays).

    Lists of numbers may be nested, as the rows of an npz are. Prompts with completions, and conversations, become a
    column `text`; `dialect` says how. The file is read twice; the first pass finds the type of every key. An absent key
    and null are missing values. Raises DataError with the line number for broken JSON, nested objects and a key that
    changes its type.
    """
    text = open_text(path, limits, hints.encoding)
    keys: dict[str, _Key] = {}
    form = next((form_of(first.row) for first in objects(text, limits)), None)
    rows = 0
    repeats, doubts = Repeats(), _Doubts()
    for rows, found in enumerate(objects(text, limits, repeats), 1):
        doubts.see(rows, repeats, 0 if form is None else silent(found.row))
        for name, value in (found.row if form is None else form.row(found.line, found.row)).items():
            if name not in keys:
                _admit(name, found.line, keys, limits)
            if value is not None:
                _learn(keys[name], name, value, found.line)
        limits.check_cells(rows, len(keys), "The table with a column for each key", is_text=True)
    if not keys:
        raise DataError("The file contains no values. Write one JSON object per line, or an array of objects.")
    layouts = {name: Layout("array", key.shape) for name, key in keys.items() if key.kind == "numbers"}
    source = Source(_batches(text, limits, form, keys), layouts, is_text=True, most_rows=rows)
    source.dialect = text.dialect | {"form": "array" if is_array(text) else "lines"}
    if form is not None:
        source.dialect |= {"rows": form.name, "text": form.told}
    source.warnings = [*text.warnings, *doubts.warnings(rows)]
    return source


@dataclass
class _Doubts:
    """Rows of which something is not read: a value whose key comes again, and messages without content."""

    repeated: list[int] = field(default_factory=list)
    key: str = ""
    silent: list[int] = field(default_factory=list)
    messages: int = 0

    def see(self, row: int, repeats: Repeats, silent: int) -> None:
        if repeats.key is not None:
            self.key = self.key or repeats.key
            self.repeated.append(row)
            repeats.key = None
        if silent:
            self.silent.append(row)
            self.messages += silent

    def warnings(self, rows: int) -> list[Warned]:
        found = []
        if self.repeated:
            told = counted(len(self.repeated), "has", "have", of=f"{rows:,} rows")
            message = f"{told} a key twice, such as {shown(self.key)}; the last value counts"
            cure = "give every key of a row its own name"
            found.append(Warned(code="repeated_keys", message=message, rows=self.repeated[:_SHOWN], suggestion=cure))
        if self.silent:
            told = counted(len(self.silent), "has", "have", of=f"{rows:,} rows")
            message = (
                f"{told} {counted(self.messages, 'message', 'messages')} without content, of which only "
                "the role is read; calls of tools are not read"
            )
            cure = "write as content what is to be learned, or leave these messages out"
            found.append(Warned(code="empty_messages", message=message, rows=self.silent[:_SHOWN], suggestion=cure))
        return found


def _rows(text: TextFile, limits: Limits, form: Form | None) -> Iterator[Located]:
    found = objects(text, limits)
    if form is None:
        return found
    return (each._replace(row=form.row(each.line, each.row)) for each in found)


def _admit(name: str, number: int, keys: dict[str, _Key], limits: Limits) -> None:
    if not name.strip() or len(name) > 200:
        raise DataError(f"Line {number} has a key that is empty or longer than 200 characters. Rename it.")
    if len(keys) >= limits.max_columns:
        raise limits.refuse("max_columns", f"Line {number} adds one key too many, {name!r}")
    keys[name] = _Key()


def _learn(key: _Key, name: str, value: Any, number: int) -> None:
    kind = _kind(value)
    if kind is None:
        raise DataError(
            f"Line {number}, key {name!r}: nested or mixed values cannot be used. "
            "Give a string, a number, a boolean, a list of strings, or lists of numbers that are equally long."
        )
    shape: tuple[int, ...] | None = None
    if kind == "numbers":
        shape = _shape(value) if isinstance(value[0], list) else (len(value),)
    if key.kind is None or (key.kind == "empty list" and kind == "strings"):
        key.kind, key.line = kind, number
        key.shape = shape or ()
    if kind == "empty list" and key.kind == "strings":
        return
    if kind != key.kind:
        raise DataError(f"Line {number}, key {name!r}: a {kind}, but line {key.line} has a {key.kind}. Use one type.")
    if kind == "numbers" and shape != key.shape:
        found, other = (" × ".join(map(str, each or ())) for each in (shape, key.shape))
        raise DataError(
            f"Line {number}, key {name!r}: {found} numbers, but line {key.line} has {other}. "
            "Lists of numbers must be equally long."
        )
    if kind == "number" and not (isinstance(value, int) and -(2**63) <= value < 2**63):
        key.whole = False


def _kind(value: Any) -> Kind | None:
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case []:
            return "empty list"
        case [*items] if all(isinstance(item, str) for item in items):
            return "strings"
        case [*_] if _shape(value):
            return "numbers"
    return None


def _shape(value: list[Any], axes: int = MOST_AXES) -> tuple[int, ...] | None:
    """The lengths of the axes of an array in lists. None if it has too many axes, or the lists are no array."""
    if all(isinstance(item, int | float) and not isinstance(item, bool) for item in value):
        return (len(value),) if value else None
    if axes == 1 or not all(isinstance(item, list) for item in value):
        return None
    inner = {_shape(item, axes - 1) for item in value}
    rest = inner.pop()
    return None if inner or rest is None else (len(value), *rest)


def _batches(text: TextFile, limits: Limits, form: Form | None, keys: dict[str, _Key]) -> Iterator[pa.RecordBatch]:
    rows = ((found.size, (found.line, found.row)) for found in _rows(text, limits, form))
    for batch in batched(rows):
        try:
            yield _joined(batch, keys)
        except (UnicodeEncodeError, OverflowError) as error:
            raise DataError(f"Between lines {batch[0][0]} and {batch[-1][0]}: {error}. Correct the value.") from error


def _joined(batch: list[tuple[int, dict[str, Any]]], keys: dict[str, _Key]) -> pa.RecordBatch:
    # Absent keys are filled in by Arrow: where each row has keys of its own, most cells are absent.
    found: dict[str, tuple[list[int], list[Any]]] = {name: ([], []) for name in keys}
    for at, (_, row) in enumerate(batch):
        for name, value in row.items():
            rows, values = found[name]
            rows.append(at)
            values.append(value)
    empty: dict[pa.DataType, pa.Array] = {}
    columns = []
    for name, (rows, values) in found.items():
        column = _column(keys[name], values)
        if not values:
            column = empty.setdefault(column.type, pa.nulls(len(batch), column.type))
        elif len(values) < len(batch):
            places = np.full(len(batch), -1, np.int64)
            places[rows] = np.arange(len(rows))
            column = column.take(pa.array(places, mask=places < 0))
        columns.append(column)
    return pa.record_batch(columns, names=list(keys))


def _column(key: _Key, values: list[Any]) -> pa.Array:
    match key.kind:
        case "boolean":
            return pa.array(values, pa.bool_())
        case "number" if key.whole:
            return pa.array(values, pa.int64())
        case "number":
            return pa.array([None if value is None else float(value) for value in values], pa.float64())
        case "numbers":
            packed = [None if value is None else np.asarray(value, np.float32).tobytes() for value in values]
            return pa.array(packed, pa.binary(4 * prod(key.shape)))
        case "strings" | "empty list":
            return pa.array(values, pa.list_(pa.string()))
    return pa.array(values, pa.string())
