"""A dataset in memory: Arrow columns, described by a schema."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue

from athanor.contract import Column, Schema, Warned

Rows = npt.NDArray[np.int64]
"""Row numbers, from 0."""


@dataclass(frozen=True)
class Layout:
    """The layout of one row of a fixed-size column: images are uint8 [H, W, C], arrays are float32 [*shape]."""

    kind: Literal["image", "array"]
    shape: tuple[int, ...]
    pixels: Mapping[str, JsonValue] = field(default_factory=dict)
    """How a picture becomes such pixels: the fields of `models.data.formats.images.Reading`."""

    @property
    def is_image(self) -> bool:
        return self.kind == "image"

    @property
    def dtype(self) -> npt.DTypeLike:
        return np.uint8 if self.is_image else np.float32

    @property
    def width(self) -> int:
        """Bytes of one row."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    def unpack(self, values: pa.Array) -> npt.NDArray[np.generic]:
        """Cells of this layout as [N, *shape]. None may be null. The result shares the memory of `values`."""
        size = int(np.prod(self.shape))
        flat = np.frombuffer(values.buffers()[1], dtype=self.dtype)
        return flat[values.offset * size : (values.offset + len(values)) * size].reshape(len(values), *self.shape)


@dataclass
class Source:
    """A stream of raw rows from a format reader or a built-in dataset.

    Every batch has the same columns. A column with a layout is fixed-size binary; the others are strings, whole or
    floating numbers, booleans, or lists of strings. A missing value is null. If `untyped`, strings may be numbers, as
    in a CSV. If `is_text`, the format is text, whose cells take longer to read. There are at most `most_rows`
    rows; 0 means that the reader does not know it before it reads them. `dialect` says how a text file was read, and
    `decimal` the decimal mark of its numbers, if it is known. `categories` are columns that the file itself calls so.
    `warnings` and `skipped` (the numbers of rows that were
    left out) grow while batches are read.
    """

    batches: Iterator[pa.RecordBatch]
    layouts: dict[str, Layout] = field(default_factory=dict)
    warnings: list[Warned] = field(default_factory=list)
    target: str | None = None
    part: str | None = None
    categories: frozenset[str] = frozenset()
    untyped: bool = False
    is_text: bool = False
    most_rows: int = 0
    skipped: list[int] = field(default_factory=list)
    dialect: dict[str, JsonValue] = field(default_factory=dict)
    decimal: Literal[".", ","] | None = None


@dataclass(frozen=True)
class Table:
    """All rows of a dataset in memory. Each method returns a column in one form; features know which one they need."""

    schema: Schema
    data: pa.Table

    @classmethod
    def open(cls, path: Path, schema: Schema) -> "Table":
        """Read the Parquet file that intake wrote."""
        return cls(schema, pq.read_table(path))

    @property
    def rows(self) -> int:
        return int(self.data.num_rows)

    def column(self, name: str) -> Column:
        return next(column for column in self.schema.columns if column.name == name)

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """A number column as [rows]; a missing value is NaN."""
        array = self.data[name].combine_chunks().cast(pa.float64())
        return np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.float64)

    def strings(self, name: str) -> list[str | None]:
        """A category, text or number column as strings; a whole number is '3', not '3.0'."""
        return [None if value is None else str(value) for value in self.data[name].to_pylist()]

    def tokens(self, name: str) -> list[list[str] | None]:
        """A tokens column: a list of words per row."""
        return list(self.data[name].to_pylist())

    def arrays(self, name: str, layout: Layout) -> npt.NDArray[np.generic]:
        """A column with this layout as [rows, *shape]. No value may be missing."""
        return layout.unpack(self.data[name].combine_chunks())


PARTS: dict[str, Literal["train", "val", "test"]] = {
    **dict.fromkeys(("train", "training", "trn", "训练", "训练集"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "eval", "publictest", "验证", "验证集", "开发集"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "privatetest", "测试", "测试集"), "test"),
}
"""Words for the parts of data, in cells and in names of files and folders."""


def part_of(value: str) -> Literal["train", "val", "test"] | None:
    """The part that a cell of the split column names; None if it names none."""
    return PARTS.get(value.strip().lower())
