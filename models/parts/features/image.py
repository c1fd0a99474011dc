"""Images, each channel scaled separately."""

import base64
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, JsonValue

from athanor.contract import Column
from models.data.formats import images
from models.data.formats.limits import Limits
from models.data.table import Layout, Table
from models.errors import DataError
from models.parts.array_cells import nested, pack, shapes
from models.parts.channels import Channels, last, likely, moved, packed, placed, unsure
from models.parts.feature import CellError, Encoder, Feature, Observation, Reals, Rows, arrays
from models.parts.inputs import InputKind, Inputs
from models.parts.oddity import Oddity
from models.parts.reach import Reach, reach_of, unlike, usual_peak
from models.parts.scaling import divisor

Side = Annotated[int, Field(ge=1, le=images.LARGEST_SIDE)]


class ImageEncoder(Encoder):
    """Images, each channel to zero mean and unit variance over the training rows."""

    kind: Literal["image"] = "image"
    shape: tuple[int, int, int] = Field(description="C, H, W")
    mean: list[float]
    std: list[float]
    reach: Reach | None = Field(None, description="the smallest and the largest number of the training rows")
    usual_peak: float | None = Field(None, description="what the largest absolute number of nearly every row reaches")

    @property
    def reads(self) -> str:
        return "image"

    @classmethod
    def of(cls, table: Table, column: Column, train: Rows) -> "ImageEncoder":
        """Learn from the training rows of a column of images, or of arrays with the shape of images."""
        shape = channels_height_width(column)
        values_NF = arrays(table, column.name)[train].reshape(len(train), -1)
        values = values_NF.reshape(-1, shape[0])
        mean = values.mean(0, dtype=np.float64)
        std = divisor(values.std(0, dtype=np.float64), mean, len(values))
        return cls(
            name=column.name,
            shape=shape,
            mean=mean.tolist(),
            std=std.tolist(),
            reach=reach_of(values_NF),
            usual_peak=usual_peak(values_NF),
        )

    def inputs(self) -> Inputs:
        return Inputs("image", self.shape)

    def encode(self, table: Table) -> npt.NDArray[np.generic]:
        """x_NCHW, float32."""
        channels, height, width = self.shape
        pixels_NHWC = arrays(table, self.name).reshape(table.rows, height, width, channels).astype(np.float32)
        x_NHWC = (pixels_NHWC - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return np.ascontiguousarray(x_NHWC.transpose(0, 3, 1, 2))

    def odd(self, table: Table, column: Column) -> list[Oddity]:
        """Missing values, and rows of another scale than the training rows."""
        values_NF = arrays(table, self.name).reshape(table.rows, -1)
        return [*super().odd(table, column), *unlike(values_NF, self.reach, self.usual_peak)]

    def after(self, table: Table, train: Rows) -> "ImageEncoder":
        return self.model_copy(update={"reach": reach_of(arrays(table, self.name)[train], self.reach)})

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
    """An image, each channel to zero mean and unit variance over the training rows.

    A zip of pictures is stored in one size: that of the hint `size`, else the median of the sizes found, made smaller
    if it has more than 9,216 pixels, so that a default `cnn` has fewer than five million parameters. The default of
    `resize` is pad: it is the only way that neither cuts anything off nor changes the proportions.
    """

    kind: Literal["image"] = "image"
    size: Side | Annotated[list[Side], Field(min_length=2, max_length=2)] | None = Field(
        None, description="[height, width] in pixels, or one number for both; default: from the pictures"
    )
    resize: images.Resize = Field(
        "pad",
        description="pictures of other proportions: crop cuts their ends off, pad continues their edges, stretch "
        "distorts them",
    )
    channels: Channels | None = Field(
        None, description="arrays: whether the channels are the first or the last of a row; default: from its shape"
    )

    precedence: ClassVar[int] = 10
    can_be_missing: ClassVar[bool] = False
    counts_values: ClassVar[bool] = False

    @classmethod
    def recognize(cls, seen: Observation) -> Feature | None:
        if seen.layout is None or seen.layout.kind != "image":
            return None
        return cls(channels="first" if likely(seen.layout.shape) == "first" else None)

    def guess(self, seen: Observation) -> str | None:
        return None if seen.layout is None or seen.layout.pixels else unsure(seen.layout.shape)

    def can_read(self, kind: pa.DataType, layout: Layout | None) -> bool:
        return layout is not None

    def read(self, values: pa.Array, column: Column) -> pa.Array:
        """Pixels as the file has them, with the channels last and in the size that was chosen."""
        stored, wanted = self.stored(column), self.layout(column)
        if stored.kind != wanted.kind:
            raise pa.ArrowInvalid("only whole numbers from 0 to 255 are pixels")
        channels = placed(self.channels, column, stored.shape)
        if stored.shape == wanted.shape and channels == "last":
            return values
        height, width, _ = wanted.shape
        shape = last(stored.shape, channels)
        cells_NHWC = moved(stored.unpack(values), channels).reshape(-1, *shape).astype(np.uint8, copy=False)
        return packed([images.resized(cell, height, width, self.resize) for cell in cells_NHWC], values, wanted)

    def cells(self, values: Sequence[Any], column: Column) -> pa.Array:
        """Lists of numbers from 0 to 255, or a picture file in base64, with or without the prefix of a data: URL."""
        layout = self.stored(column)
        channels = placed(self.channels, column, layout.shape)
        reading = images.Reading.of(last(layout.shape, channels), layout.pixels)
        # Work in proportion to the request, as it is for an upload.
        left = Limits().for_upload(sum(len(value) for value in values if isinstance(value, str))).max_pixels
        found: list[bytes] = []
        for row, value in enumerate(values):
            if not isinstance(value, str):
                found.append(_packed(value, layout, row))
                continue
            pixels_HWC, cost = _decoded(value, reading, left, row)
            left -= cost
            is_moved = channels == "first" and len(layout.shape) == 3
            found.append((pixels_HWC.transpose(2, 0, 1) if is_moved else pixels_HWC).tobytes())
        return pa.array(found, pa.binary(layout.width))

    def show(self, value: Any, column: Column) -> JsonValue:
        return None if value is None else nested(value, self.stored(column))

    def preview(self, value: Any, column: Column) -> JsonValue:
        """Only the shape."""
        return None if value is None else "×".join(map(str, column.shape or ())) + " image"

    def numbers(self, values: pa.Array, column: Column) -> Reals | None:
        return self.layout(column).unpack(values).ravel()

    def shape(self, stored: Layout) -> tuple[int, ...]:
        height, width, channels = last(stored.shape, self.channels or likely(stored.shape))
        if self.size is not None:
            height, width = (self.size, self.size) if isinstance(self.size, int) else self.size
        return height, width, channels

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
    try:
        return pack(value, layout, 0, 255)
    except ValueError as error:
        what = f"must be a list of {shapes(layout)} numbers from 0 to 255, or an image file in base64; {error}"
        raise CellError(row, what) from error


def _decoded(text: str, reading: images.Reading, most: int, row: int) -> tuple[images.Pixels, int]:
    head, comma, body = text.partition(",") if text.startswith("data:") else ("", "", text)
    try:
        if comma and not head.endswith(";base64"):
            raise DataError("its data: URL is not in base64")
        try:
            data = base64.b64decode("".join(body.split()), validate=True)
        except ValueError as error:
            raise DataError("it is not base64") from error
        return images.decode(data, reading, most)
    except DataError as error:
        raise CellError(row, f"cannot be read: {error}") from error
