"""Images, each channel scaled separately."""

import base64
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, JsonValue

from athanor.contract import Column
from models.data.formats import images
from models.data.table import Layout, Table
from models.errors import DataError
from models.parts.feature import CellError, Encoder, Feature, Observation, Reals, Rows, arrays
from models.parts.inputs import InputKind, Inputs
from models.parts.scaling import divisor


class ImageEncoder(Encoder):
    """Images, each channel to zero mean and unit variance over the training rows."""

    kind: Literal["image"] = "image"
    shape: tuple[int, int, int] = Field(description="C, H, W")
    mean: list[float]
    std: list[float]

    @property
    def reads(self) -> str:
        return "image"

    @classmethod
    def of(cls, table: Table, column: Column, train: Rows) -> "ImageEncoder":
        """Learn from the training rows of a column of images, or of arrays with the shape of images."""
        shape = channels_height_width(column)
        values = arrays(table, column.name)[train].reshape(-1, shape[0])
        mean = values.mean(0, dtype=np.float64)
        std = divisor(values.std(0, dtype=np.float64), mean, len(values))
        return cls(name=column.name, shape=shape, mean=mean.tolist(), std=std.tolist())

    def inputs(self) -> Inputs:
        return Inputs("image", self.shape)

    def encode(self, table: Table) -> npt.NDArray[np.generic]:
        """x_NCHW, float32."""
        channels, height, width = self.shape
        pixels_NHWC = arrays(table, self.name).reshape(table.rows, height, width, channels).astype(np.float32)
        x_NHWC = (pixels_NHWC - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return np.ascontiguousarray(x_NHWC.transpose(0, 3, 1, 2))

    def for_column(self, column: Column) -> Encoder | str:
        """A column of images or arrays fits if its shape is the same."""
        if len(column.shape or []) not in (2, 3):
            return super().for_column(column)
        found = channels_height_width(column)
        if found != self.shape:
            here, there = (" × ".join(map(str, shape)) for shape in (found, self.shape))
            return f"'{column.name}' is {here}; the parent learned from {there}"
        return self.model_copy(update={"name": column.name})


class Image(Feature):
    """An image, each channel to zero mean and unit variance over the training rows."""

    kind: Literal["image"] = "image"

    precedence: ClassVar[int] = 10
    counts_values: ClassVar[bool] = False

    @classmethod
    def recognize(cls, seen: Observation) -> Feature | None:
        return cls() if seen.layout is not None and seen.layout.kind == "image" else None

    def read(self, values: pa.Array, column: Column) -> pa.Array:
        return values

    def cells(self, values: Sequence[Any], column: Column) -> pa.Array:
        """Lists of numbers from 0 to 255, or an image file in base64, with or without the prefix of a data: URL."""
        layout = self.layout(column)
        packed = [
            _decoded(value, layout, row) if isinstance(value, str) else _packed(value, layout, row)
            for row, value in enumerate(values)
        ]
        return pa.array(packed, pa.binary(layout.width))

    def show(self, value: Any, column: Column) -> JsonValue:
        shown: JsonValue = (
            None if value is None else np.frombuffer(value, np.uint8).reshape(column.shape or ()).tolist()
        )
        return shown

    def preview(self, value: Any, column: Column) -> JsonValue:
        """Only the shape."""
        return None if value is None else "×".join(map(str, column.shape or ())) + " image"

    def numbers(self, values: pa.Array, column: Column) -> Reals | None:
        return self.layout(column).unpack(values).ravel()

    def layout(self, column: Column) -> Layout:
        return Layout("image", tuple(column.shape or ()))

    def input_kind(self, column: Column, accepts: frozenset[InputKind]) -> InputKind:
        return "image"

    def expect(self, column: Column, accepts: frozenset[InputKind]) -> Inputs:
        return Inputs("image", channels_height_width(column))

    def fit(self, table: Table, column: Column, train: Rows, accepts: frozenset[InputKind]) -> ImageEncoder:
        return ImageEncoder.of(table, column, train)


def channels_height_width(column: Column) -> tuple[int, int, int]:
    """C, H, W of a column whose cells are [H, W] or [H, W, C]."""
    assert column.shape is not None
    height, width, channels = (*column.shape, 1)[:3]
    return channels, height, width


def _packed(value: Any, layout: Layout, row: int) -> bytes:
    packed = layout.pack(value, 0, 255)
    if packed is None:
        shape = " × ".join(map(str, layout.shape))
        raise CellError(row, f"must be a list of {shape} numbers from 0 to 255, or an image file in base64")
    return packed


def _decoded(text: str, layout: Layout, row: int) -> bytes:
    head, comma, body = text.partition(",") if text.startswith("data:") else ("", "", text)
    try:
        if comma and not head.endswith(";base64"):
            raise DataError("its data: URL is not in base64")
        try:
            data = base64.b64decode("".join(body.split()), validate=True)
        except ValueError as error:
            raise DataError("it is not base64") from error
        height, width, channels = (*layout.shape, 1)[:3]
        return images.decode(data, (height, width, channels)).tobytes()
    except DataError as error:
        raise CellError(row, f"cannot be read: {error}") from error
