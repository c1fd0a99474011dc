"""JSON lines: one object per line; each key is a column."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from models.data.formats.limits import Limits
from models.data.formats.lines import batched, read_lines
from models.data.table import Layout, Source
from models.errors import DataError

Kind = Literal["boolean", "number", "string", "strings", "numbers", "empty list"]


@dataclass
class _Key:
    """The type of the values of one key, as found in the first pass over the file."""

    kind: Kind | None = None
    line: int = 0
    length: int = 0
    whole: bool = True


def read(path: Path, limits: Limits) -> Source:
    """Values are strings, numbers, booleans, lists of strings (tokens) or lists of numbers of one length (arrays).

    The file is read twice; the first pass finds the type of every key. An absent key and null are missing values.
    Raises DataError with the line number for broken JSON, nested objects and a key that changes its type.
    """
    keys: dict[str, _Key] = {}
    rows = 0
    for rows, (number, _, row) in enumerate(_objects(path, limits), 1):
        for name, value in row.items():
            if name not in keys:
                _admit(name, number, keys, limits)
            if value is not None:
                _learn(keys[name], name, value, number)
        limits.check_cells(rows, len(keys), "The table with a column for each key", is_text=True)
    if not keys:
        raise DataError("The file contains no values. Write one JSON object per line.")
    layouts = {name: Layout("array", (key.length,)) for name, key in keys.items() if key.kind == "numbers"}
    return Source(_batches(path, limits, keys), layouts, is_text=True, most_rows=rows)


def _objects(path: Path, limits: Limits) -> Iterator[tuple[int, int, dict[str, Any]]]:
    for number, line in enumerate(read_lines(path, limits), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except RecursionError as error:
            raise DataError(f"Line {number} is nested too deeply. Use strings, numbers, booleans and lists.") from error
        except ValueError as error:
            raise DataError(f"Line {number} is not JSON ({error}). Write one object per line.") from error
        if not isinstance(row, dict):
            raise DataError(f'Line {number} is not a JSON object. Write one per line, such as {{"text": "a b"}}.')
        yield number, len(line), row


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
            "Give a string, a number, a boolean, a list of strings or a list of numbers."
        )
    if key.kind is None or (key.kind == "empty list" and kind == "strings"):
        key.kind, key.line = kind, number
        key.length = len(value) if kind == "numbers" else 0
    if kind == "empty list" and key.kind == "strings":
        return
    if kind != key.kind:
        raise DataError(f"Line {number}, key {name!r}: a {kind}, but line {key.line} has a {key.kind}. Use one type.")
    if kind == "numbers" and len(value) != key.length:
        raise DataError(
            f"Line {number}, key {name!r}: {len(value)} numbers, but line {key.line} has {key.length}. "
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
        case [*items] if all(isinstance(item, int | float) and not isinstance(item, bool) for item in items):
            return "numbers"
    return None


def _batches(path: Path, limits: Limits, keys: dict[str, _Key]) -> Iterator[pa.RecordBatch]:
    rows = ((size, (number, row)) for number, size, row in _objects(path, limits))
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
            return pa.array(packed, pa.binary(4 * key.length))
        case "strings" | "empty list":
            return pa.array(values, pa.list_(pa.string()))
    return pa.array(values, pa.string())
