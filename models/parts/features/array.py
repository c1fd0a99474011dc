"""Arrays of fixed size, each number scaled separately. Networks that read images get them as images."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, JsonValue

from athanor.contract import Column
from models.data.table import Layout, Table
from models.parts.array_cells import nested, pack, shapes
from models.parts.channels import Channels, last, likely, moved, packed, placed, unsure
from models.parts.feature import CellError, Encoder, Feature, Observation, Reals, Rows, arrays
from models.parts.features.image import ImageEncoder, channels_height_width
from models.parts.inputs import InputKind, Inputs
from models.parts.oddity import Oddity
from models.parts.reach import Reach, reach_of, unlike, usual_peak
from models.parts.scaling import divisor

LARGEST = float(np.finfo(np.float32).max)
SHOWN = 16
"""Numbers of an array in a preview."""


class ArrayEncoder(Encoder):
    """Arrays, flattened, every number to zero mean and unit variance."""

    kind: Literal["array"] = "array"
    mean: list[float]
    std: list[float]
    reach: Reach | None = Field(None, description="the smallest and the largest number of the training rows")
    usual_peak: float | None = Field(None, description="what the largest absolute number of nearly every row reaches")

    def inputs(self) -> Inputs:
        return Inputs("vector", (len(self.mean),))

    def encode(self, table: Table) -> npt.NDArray[np.generic]:
        """x_NF, float32."""
        flat_NF = arrays(table, self.name).reshape(table.rows, -1).astype(np.float32)
        return (flat_NF - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)

    def odd(self, table: Table, column: Column) -> list[Oddity]:
        """Missing values, and rows of another scale than the training rows."""
        values_NF = arrays(table, self.name).reshape(table.rows, -1)
        return [*super().odd(table, column), *unlike(values_NF, self.reach, self.usual_peak)]

    def after(self, table: Table, train: Rows) -> "ArrayEncoder":
        return self.model_copy(update={"reach": reach_of(arrays(table, self.name)[train], self.reach)})

    def for_column(self, column: Column) -> Encoder | str:
        if column.kind == self.kind and int(np.prod(column.shape or [])) != len(self.mean):
            size = " × ".join(map(str, column.shape or []))
            return f"'{column.name}' is {size}; the parent learned from {len(self.mean)}"
        return super().for_column(column)


class Array(Feature):
    """An array of fixed size: numbers to zero mean and unit variance, each over the training rows."""

    kind: Literal["array"] = "array"

    channels: Channels | None = Field(
        None,
        description="networks for images: whether the channels are the first or the last of a row's three axes; "
        "default: from its shape",
    )

    precedence: ClassVar[int] = 11
    can_be_missing: ClassVar[bool] = False
    counts_values: ClassVar[bool] = False

    @classmethod
    def recognize(cls, seen: Observation) -> Feature | None:
        if seen.layout is None or seen.layout.kind != "array":
            return None
        return cls(channels="first" if likely(seen.layout.shape) == "first" else None)

    def guess(self, seen: Observation) -> str | None:
        return None if seen.layout is None else unsure(seen.layout.shape)

    def can_read(self, kind: pa.DataType, layout: Layout | None) -> bool:
        return layout is not None

    def read(self, values: pa.Array, column: Column) -> pa.Array:
        """Numbers as the file has them, with the channels last."""
        stored, wanted = self.stored(column), self.layout(column)
        channels = placed(self.channels, column, stored.shape)
        if stored.kind == wanted.kind and channels == "last":
            return values
        return packed(moved(stored.unpack(values), channels), values, wanted)

    def cells(self, values: Sequence[Any], column: Column) -> pa.Array:
        layout = self.stored(column)
        low, high = (0, 255) if layout.dtype == np.uint8 else (-LARGEST, LARGEST)
        found = []
        for row, value in enumerate(values):
            try:
                found.append(pack(value, layout, low, high))
            except ValueError as error:
                raise CellError(row, f"must be a list of {shapes(layout)} numbers; {error}") from error
        return pa.array(found, pa.binary(layout.width))

    def show(self, value: Any, column: Column) -> JsonValue:
        return None if value is None else nested(value, self.stored(column))

    def preview(self, value: Any, column: Column) -> JsonValue:
        """Only the first numbers."""
        shown: JsonValue = None if value is None else np.frombuffer(value, np.float32)[:SHOWN].tolist()
        return shown

    def numbers(self, values: pa.Array, column: Column) -> Reals | None:
        return self.layout(column).unpack(values).ravel()

    def shape(self, stored: Layout) -> tuple[int, ...]:
        return last(stored.shape, self.channels or likely(stored.shape)) if len(stored.shape) == 3 else stored.shape

    def layout(self, column: Column) -> Layout:
        return Layout("array", tuple(column.shape or ()))

    def input_kind(self, column: Column, accepts: frozenset[InputKind]) -> InputKind:
        return "image" if "image" in accepts and len(column.shape or []) in (2, 3) else "vector"

    def expect(self, column: Column, accepts: frozenset[InputKind]) -> Inputs:
        if self.input_kind(column, accepts) == "image":
            return Inputs("image", channels_height_width(column))
        return Inputs("vector", (int(np.prod(column.shape or [])),))

    def fit(self, table: Table, column: Column, train: Rows, accepts: frozenset[InputKind]) -> Encoder:
        if self.input_kind(column, accepts) == "image":
            return ImageEncoder.of(table, column, train)
        values_NF = arrays(table, column.name)[train].reshape(len(train), -1).astype(np.float64)
        mean = values_NF.mean(0)
        std = divisor(values_NF.std(0), mean, len(values_NF))
        return ArrayEncoder(
            name=column.name,
            mean=mean.tolist(),
            std=std.tolist(),
            reach=reach_of(values_NF),
            usual_peak=usual_peak(values_NF),
        )
