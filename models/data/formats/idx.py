"""A zip of IDX files, the format of MNIST: images and labels, plain or gzipped."""

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast
from zipfile import ZipInfo

import numpy as np
import pyarrow as pa

from models.data.formats.archive import NUMBERS, PART, PARTS, Archive
from models.data.formats.arrays import layout, pack, rows_at_once, stream_rows
from models.data.formats.limits import Limits
from models.data.table import Source
from models.errors import DataError

MEMBER = re.compile(r"idx\d-?(ubyte|byte|short|int|float|double)?(\.gz)?$", re.IGNORECASE)
"""Matches the end of an IDX file's name, for example train-images-idx3-ubyte or labels.idx1-ubyte.gz."""

_MOST_ARRAYS = 8
"""Images and labels, each without a part or of train, val and test."""
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


@dataclass(frozen=True)
class _Array:
    info: ZipInfo
    part: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def name(self) -> str:
        return self.info.filename


def read(path: Path, limits: Limits) -> Source:
    """Images (or arrays) in a column ``image``; labels in ``label``, as strings if the file has bytes, else numbers.

    Files called train… and t10k… (or test…, val…) add a column ``part``. Raises DataError for images without labels,
    for different numbers of rows and for wrong headers.
    """
    archive = Archive(path, limits, NUMBERS)
    found = (info for info in archive.members if MEMBER.search(info.filename))
    # One more than there are roles, so that two of any number of files have the same.
    arrays = [_open(archive, info) for info in islice(found, _MOST_ARRAYS + 1)]
    pairs = _pairs(arrays)
    images, labels = pairs[0]
    kept = layout(images.shape, images.dtype)
    return Source(
        _batches(archive, pairs),
        {"image": kept} if kept else {},
        target="label" if labels else None,
        part=PART if images.part else None,
    )


def _part(name: str) -> str | None:
    words = re.split(r"[^a-z0-9]+", name.lower())
    return next((PARTS[word] for word in words if word in PARTS), None)


@contextmanager
def _bytes(archive: Archive, info: ZipInfo) -> Iterator[IO[bytes]]:
    with archive.open(info) as stream:
        if not info.filename.lower().endswith(".gz"):
            yield stream
            return
        try:
            with gzip.open(stream) as plain:
                yield cast(IO[bytes], plain)
        except (zlib.error, EOFError, gzip.BadGzipFile) as error:
            raise DataError(f"{info.filename} is not a complete gzip file ({error}). Create it again.") from error


def _open(archive: Archive, info: ZipInfo) -> _Array:
    with _bytes(archive, info) as stream:
        shape, dtype = _header(stream, info.filename)
    size = dtype.itemsize
    for length in shape:
        size *= length
    if size > archive.limits.max_expanded_bytes:
        raise archive.limits.refuse("max_expanded_bytes", f"The header of {info.filename} gives {size:,} bytes")
    if 0 in shape:
        raise DataError(f"{info.filename} has the shape {shape}, so it is empty. Leave it out.")
    return _Array(info, _part(info.filename), shape, dtype)


def _header(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or not 1 <= magic[3] <= 8:
        raise DataError(f"{name} is not an IDX file: its first bytes are wrong. Download it again.")
    lengths = stream.read(4 * magic[3])
    if len(lengths) < 4 * magic[3]:
        raise DataError(f"{name} is too short for an IDX header. Download it again.")
    return tuple(int(length) for length in np.frombuffer(lengths, ">u4")), np.dtype(_TYPES[magic[2]])


def _pairs(arrays: list[_Array]) -> list[tuple[_Array, _Array | None]]:
    found: dict[tuple[bool, str | None], _Array] = {}
    for array in arrays:
        key = (len(array.shape) == 1 or "label" in array.name.lower(), array.part)
        if key in found:
            raise DataError(f"{found[key].name} and {array.name} have the same role. Name them train-… and t10k-….")
        found[key] = array
    parts = [part for part in (None, "train", "val", "test") if (False, part) in found]
    lone = [array.name for (is_label, part), array in found.items() if is_label and part not in parts]
    if not parts or lone or (None in parts and len(parts) > 1):
        names = ", ".join(array.name for array in arrays[:10])
        raise DataError(f"The zip contains {names}. Add images and labels (with two parts: train-… and t10k-…).")
    pairs = [(found[False, part], found.get((True, part))) for part in parts]
    for images, labels in pairs:
        if (labels is None) != (pairs[0][1] is None):
            raise DataError(f"{images.name} and {pairs[0][0].name}: only one has labels. Add the missing file.")
        if images.shape[1:] != pairs[0][0].shape[1:] or images.dtype != pairs[0][0].dtype:
            names = f"{images.name} and {pairs[0][0].name}"
            raise DataError(f"Rows of {names} differ in shape or type. Give both the same.")
        if labels is not None and (len(labels.shape) > 1 or labels.shape[0] != images.shape[0]):
            raise DataError(
                f"{images.name} has {images.shape[0]:,} rows, but {labels.name} has the shape {labels.shape}. "
                "Give one label per row."
            )
    return pairs


def _batches(archive: Archive, pairs: list[tuple[_Array, _Array | None]]) -> Iterator[pa.RecordBatch]:
    for images, labels in pairs:
        at_once = rows_at_once(int(np.prod(images.shape[1:], dtype=np.int64)) * images.dtype.itemsize)
        columns = {"image": _column(archive, images, at_once)}
        if labels is not None:
            columns["label"] = _column(archive, labels, at_once)
        for arrays in zip(*columns.values(), strict=True):
            batch = dict(zip(columns, arrays, strict=True))
            if labels is not None and labels.dtype.itemsize == 1:
                batch["label"] = batch["label"].cast(pa.string())
            if images.part:
                batch[PART] = pa.array([images.part] * len(arrays[0]), pa.string())
            yield pa.record_batch(batch)


def _column(archive: Archive, array: _Array, at_once: int) -> Iterator[pa.Array]:
    with _bytes(archive, array.info) as stream:
        _header(stream, array.name)
        for rows in stream_rows(stream, array.name, array.shape, array.dtype, at_once):
            if array.name.lower().endswith(".gz"):
                archive.expand(rows.nbytes)
            yield pack(rows, layout(array.shape, array.dtype))
