"""Answers in a file: the columns of each row as they were read, and its prediction in further columns."""

import csv
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.data.table import Layout, Source

GROUP = 20_000
"""Rows of a row group in a Parquet file."""
PREFIXES = {"probabilities": "probability"}
"""Of columns for a part of a prediction that has a name for each number."""


def flat(predictions: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Predictions as columns: `predicted_label`, `probability_cat` and so on."""
    found: dict[str, list[Any]] = {}
    for one in predictions:
        for key, value in one.items():
            if isinstance(value, dict):
                for name, number in value.items():
                    found.setdefault(f"{PREFIXES.get(key, key)}_{name}", []).append(number)
            else:
                found.setdefault(f"predicted_{key}", []).append(value)
    return found


class AnswerFile(ABC):
    """A file that grows batch by batch. Each form writes the columns in its own way."""

    def __init__(self, source: Source, names: Sequence[str]) -> None:
        self.layouts = source.layouts
        self._taken = set(names)
        self._repeated = [name for name in names if not self._is_picture(name)]
        self._renamed: dict[str, str] = {}

    def add(self, rows: pa.RecordBatch, predictions: Sequence[dict[str, Any]]) -> None:
        """Add rows with their predictions. Pictures are not repeated: as pixels they would be many times the file."""
        columns = {self._free(name): values for name, values in flat(predictions).items()}
        self.write(rows.select(self._repeated), columns)

    def _is_picture(self, name: str) -> bool:
        return name in self.layouts and self.layouts[name].is_image

    @abstractmethod
    def write(self, rows: pa.RecordBatch, predicted: dict[str, list[Any]]) -> None:
        """Write some rows with the columns of their predictions."""

    @abstractmethod
    def close(self) -> None:
        """Write what waits, and close the file."""

    def _free(self, name: str) -> str:
        """The name, with a number behind it if a column of the file has it."""
        if name not in self._renamed:
            free, number = name, 2
            while free in self._taken:
                free, number = f"{name}_{number}", number + 1
            self._taken.add(free)
            self._renamed[name] = free
        return self._renamed[name]


class DelimitedAnswers(AnswerFile):
    """With the delimiter of the rows, and with a header if they have one. Words of a list are joined by spaces."""

    def __init__(self, path: Path, source: Source, names: Sequence[str], delimiter: str) -> None:
        super().__init__(source, names)
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, delimiter=delimiter, lineterminator="\n")
        self._has_header = source.dialect.get("header") is False

    def write(self, rows: pa.RecordBatch, predicted: dict[str, list[Any]]) -> None:
        if not self._has_header:
            self._writer.writerow([*rows.schema.names, *predicted])
            self._has_header = True
        columns = [column.to_pylist() for column in rows.columns]
        told = [
            [" ".join(each) if isinstance(each, list) else each for each in values] for values in predicted.values()
        ]
        self._writer.writerows(zip(*columns, *told, strict=True))

    def close(self) -> None:
        self._file.close()


class JsonLines(AnswerFile):
    """A number that is not finite is "NaN", "Infinity" or "-Infinity", because JSON has no such numbers."""

    def __init__(self, path: Path, source: Source, names: Sequence[str]) -> None:
        super().__init__(source, names)
        self._file = path.open("w", encoding="utf-8")

    def write(self, rows: pa.RecordBatch, predicted: dict[str, list[Any]]) -> None:
        columns = {name: _lists(rows.column(name), self.layouts.get(name)) for name in rows.schema.names} | predicted
        for row in zip(*columns.values(), strict=True):
            cells = dict(zip(columns, map(_named, row), strict=True))
            self._file.write(json.dumps(cells, ensure_ascii=False) + "\n")

    def close(self) -> None:
        self._file.close()


class ParquetAnswers(AnswerFile):
    def __init__(self, path: Path, source: Source, names: Sequence[str]) -> None:
        super().__init__(source, names)
        self._path = path
        self._writer: Any = None
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, rows: pa.RecordBatch, predicted: dict[str, list[Any]]) -> None:
        columns = {name: _vectors(rows.column(name), self.layouts.get(name)) for name in rows.schema.names}
        columns |= {name: pa.array(values, _type(values)) for name, values in predicted.items()}
        self._waiting.append(pa.record_batch(list(columns.values()), names=list(columns)))
        self._rows += rows.num_rows
        if self._rows >= GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        if not self._waiting:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, self._waiting[0].schema, compression="zstd")
        self._writer.write_table(pa.Table.from_batches(self._waiting))
        self._waiting, self._rows = [], 0


FORMS: dict[str, Callable[[Path, Source, Sequence[str]], AnswerFile]] = {
    "csv": lambda path, source, names: DelimitedAnswers(path, source, names, _delimiter(source, ",")),
    "tsv": lambda path, source, names: DelimitedAnswers(path, source, names, _delimiter(source, "\t")),
    "jsonl": JsonLines,
    "parquet": ParquetAnswers,
}
"""The forms of a file that an answer can have, by the names of the formats."""


def _delimiter(source: Source, usual: str) -> str:
    found = source.dialect.get("delimiter")
    return found if isinstance(found, str) and len(found) == 1 else usual


def _lists(values: pa.Array, layout: Layout | None) -> list[Any]:
    """Cells as JSON values."""
    if layout is None:
        found: list[Any] = values.to_pylist()
        return found
    return [None if cell is None else _nested(cell, layout) for cell in values.to_pylist()]


def _nested(cell: bytes, layout: Layout) -> list[Any]:
    # The shortest decimal that is the same number of 32 bits.
    numbers = np.array([float(str(number)) for number in np.frombuffer(cell, layout.dtype)], np.float64)
    found: list[Any] = numbers.reshape(layout.shape).tolist()
    return found


def _vectors(values: pa.Array, layout: Layout | None) -> pa.Array:
    if layout is None:
        return values
    flat = [None if cell is None else np.frombuffer(cell, layout.dtype) for cell in values.to_pylist()]
    if len(layout.shape) == 1:
        return pa.array(flat, pa.list_(pa.float32()))
    kind: pa.DataType = pa.float32()
    for _ in layout.shape:
        kind = pa.list_(kind)
    return pa.array([None if cell is None else cell.reshape(layout.shape).tolist() for cell in flat], kind)


def _type(values: list[Any]) -> pa.DataType:
    first = next((value for value in values if value is not None), "")
    if isinstance(first, list):
        return pa.list_(pa.string())
    return pa.float64() if isinstance(first, float) else pa.string()


def _named(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
