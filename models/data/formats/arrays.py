"""Read rows of numbers from a stream and pack them for Arrow: shared by the NPZ and IDX readers."""

from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.data.formats.lines import BATCH_BYTES, BATCH_ROWS
from models.data.table import Layout
from models.errors import DataError

_PIECE = 1 << 20
_CHANNELS = (1, 3, 4)


def layout(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Layout | None:
    """How rows of an array [rows, *] are stored; None for plain numbers [rows].

    uint8 [rows, H, W], and uint8 [rows, H, W, C] or [rows, C, H, W] of 1, 3 or 4 channels, are images, everything else
    is an array.
    """
    if len(shape) == 1:
        return None
    if dtype == np.uint8 and len(shape) == 3:
        return Layout("image", (*shape[1:], 1))
    if dtype == np.uint8 and len(shape) == 4 and (shape[3] in _CHANNELS or shape[1] in _CHANNELS):
        return Layout("image", shape[1:])
    return Layout("array", shape[1:])


def pack(rows: npt.NDArray[Any], kept: Layout | None) -> pa.Array:
    """An Arrow array from rows [n, *]: fixed-size binary if `kept` is a layout, else numbers, booleans or strings."""
    if kept is not None:
        flat = np.ascontiguousarray(rows, dtype=kept.dtype)
        return pa.FixedSizeBinaryArray.from_buffers(pa.binary(kept.width), len(rows), [None, pa.py_buffer(flat)])
    if rows.dtype.kind == "S":
        try:
            rows = np.char.decode(rows, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError("An array of bytes is not UTF-8. Save it as text: array.astype('U').") from error
    if rows.dtype.kind == "f":
        rows = rows.astype(np.float64)
    if rows.dtype.kind == "U":
        return pa.array(rows.tolist(), pa.string())
    return pa.array(rows.astype(rows.dtype.newbyteorder("=")))


def rows_at_once(width: int) -> int:
    """The number of rows of `width` bytes in a batch."""
    return max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, width)))


def _fill(stream: IO[bytes], data: npt.NDArray[np.uint8]) -> int:
    """Read bytes into `data`, in pieces: its size is what a header says. Returns the number of bytes that there are."""
    filled = 0
    while filled < len(data) and (piece := stream.read(min(_PIECE, len(data) - filled))):
        data[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
        filled += len(piece)
    return filled


def stream_rows(
    stream: IO[bytes], name: str, shape: tuple[int, ...], dtype: np.dtype[Any], at_once: int
) -> Iterator[npt.NDArray[Any]]:
    """Blocks [at most at_once, *] of a row-major array. Raises DataError for too few or too many bytes."""
    width = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
    for start in range(0, shape[0], at_once):
        count = min(at_once, shape[0] - start)
        data = np.empty(count * width, np.uint8)
        filled = _fill(stream, data)
        if filled != len(data):
            raise DataError(
                f"The header of {name} gives {shape[0]:,} rows, but the data end before row {start + count:,}. "
                "Write it again."
            )
        yield data.view(dtype).reshape(count, *shape[1:])
    if stream.read(1):
        raise DataError(f"{name} contains more bytes than its header says. Write it again.")
