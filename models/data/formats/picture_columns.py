"""Columns of a Parquet file that hold picture files, as the Hugging Face hub writes them, and names of its classes."""

import io
import json
import warnings
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from athanor.contract import Hints, Warned
from models.data.formats.images import BROKEN_INSIDE, NAMED, Reading, opened, pixels
from models.data.formats.limits import Limits
from models.data.formats.survey import Survey
from models.data.table import Layout
from models.errors import DataError

_FILE = "bytes"
_AT_ONCE = 64
"""Rows whose files are in memory."""


def holds_pictures(kind: pa.DataType) -> bool:
    """Whether cells are files: bytes, or the hub's {bytes, path}."""
    return _is_bytes(kind) or _is_record(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_record(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind):
        return False
    place = kind.get_field_index(_FILE)
    return place >= 0 and _is_bytes(kind.field(place).type)


def files(values: pa.Array) -> pa.Array:
    """The bytes of the files; null where a cell has none."""
    return values.field(_FILE) if pa.types.is_struct(values.type) else values


@dataclass
class PictureColumns:
    """The columns with pictures: a survey of each, over all files of a dataset."""

    limits: Limits
    hints: Hints
    surveys: dict[str, Survey] = field(default_factory=dict)
    _seen: int = 0

    def see(self, file: pq.ParquetFile, names: list[str]) -> None:
        """Look at the headers of all pictures of a file. Damaged ones are left to `decoded`.

        Raises DataError if a column has no picture, and OverLimit if decoding would take too long.
        """
        for name in names:
            survey = self.surveys.setdefault(name, Survey(self.limits, self.hints, name))
            row, before = self._seen, len(survey.sizes)
            for batch in file.iter_batches(batch_size=_AT_ONCE, columns=[name], use_threads=False):
                for cell in files(batch.column(0)):
                    row += 1
                    self._look(survey, row, cell.as_py())
            if len(survey.sizes) == before:
                raise DataError(
                    f"No cell of column {name!r} holds the bytes of a {NAMED} image. Write the pictures into the file, "
                    "or leave the column out."
                )
        self._seen += file.metadata.num_rows

    def layouts(self) -> dict[str, Layout]:
        return {name: survey.layout() for name, survey in self.surveys.items()}

    def warnings(self) -> list[Warned]:
        return list(chain.from_iterable(survey.warnings() for survey in self.surveys.values()))

    def decoded(self, values: pa.Array, layout: Layout) -> pa.Array:
        """The pixels of the files; null for what is no complete picture."""
        reading = Reading.of(layout.shape, layout.pixels)
        return pa.array([self._pixels(cell.as_py(), reading) for cell in files(values)], pa.binary(layout.width))

    def _look(self, survey: Survey, row: int, data: bytes | None) -> None:
        if data is None:
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                image, cost = opened(io.BytesIO(data), self.limits.max_image_pixels, whole=False)
                if survey.see(row, f"row {row:,}", image, cost):
                    whole, _ = opened(io.BytesIO(data), self.limits.max_image_pixels)
                    survey.look(whole)
        except DataError:
            raise
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise self.limits.refuse("max_image_pixels", f"The picture in row {row:,} has too many pixels") from error
        except BROKEN_INSIDE:
            return

    def _pixels(self, data: bytes | None, reading: Reading) -> bytes | None:
        if data is None:
            return None
        try:
            image, _ = opened(io.BytesIO(data), self.limits.max_image_pixels)
            return pixels(image, reading).tobytes()
        except BROKEN_INSIDE:
            return None


def class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """The names of classes by column, as the `datasets` library writes them beside the numbers of the classes."""
    try:
        about = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = about["info"]["features"]
        found = {name: each["names"] for name, each in features.items() if each.get("_type") == "ClassLabel"}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {
        name: [str(each) for each in names]
        for name, names in found.items()
        if isinstance(names, list) and name in schema.names and pa.types.is_integer(schema.field(name).type)
    }


def named(values: pa.Array, names: list[str], column: str, start: int) -> pa.Array:
    """Class numbers as names; -1, which the hub writes for rows without a label, as null. Raises DataError."""
    numbers = values.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    wrong = np.flatnonzero((numbers < -1) | (numbers >= len(names)))
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"Row {start + row + 1}, column {column!r}: there is no class {numbers[row]}; the file names {len(names)}, "
            "from 0. Write it again."
        )
    return pa.array(names, pa.string()).take(pa.array(numbers, mask=numbers < 0))
