"""Parquet files as written by pandas, Polars or Hugging Face."""

import base64
from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from athanor.contract import Hints, Warned
from models.data.columns import field as column_field
from models.data.columns import shown
from models.data.counted import counted
from models.data.formats.json_lines import MOST_AXES
from models.data.formats.limits import GIB, Limits
from models.data.formats.lines import BATCH_BYTES, BATCH_CELLS, BATCH_ROWS
from models.data.formats.picture_columns import PictureColumns, class_names, holds_pictures, named
from models.data.table import Layout, Source
from models.errors import DataError

_LARGEST_GROUP = GIB
_SHOWN = 10
_A_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def look(path: Path, limits: Limits, pictures: PictureColumns) -> None:
    """Show the pictures of a file to `pictures`, which then reads those of all files of a dataset alike."""
    try:
        file = pq.ParquetFile(path)
        _check(file, limits)
        if names := [field.name for field in file.schema_arrow if holds_pictures(field.type)]:
            pictures.see(file, names)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"The Parquet file cannot be read ({_first_line(error)}). Write it again.") from error


def read(
    path: Path,
    limits: Limits,
    hints: Hints = Hints(),  # noqa: B008 -- frozen
    pictures: PictureColumns | None = None,
) -> Source:
    """Read numbers, booleans, strings, lists of strings (tokens), lists of numbers of one length (arrays) and pictures.

    Lists of numbers may be nested, as the rows of an npz are. Dates and times are converted to strings, as are numbers
    that are categories; durations become seconds. Pictures are files in columns of bytes, or the hub's {bytes, path};
    see Survey for their size. Rows whose picture is missing or damaged are left out with a warning. `pictures` is what
    is known of those of several files. Raises DataError for other types and for a damaged file.
    """
    is_one_file = pictures is None
    if pictures is None:
        pictures = PictureColumns(limits, hints)
        look(path, limits, pictures)
    try:
        file = pq.ParquetFile(path)
        _check(file, limits)
        layouts = {
            field.name: Layout("array", _shape(file, field)) for field in file.schema_arrow if _is_vector(field.type)
        }
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"The Parquet file cannot be read ({_first_line(error)}). Write it again.") from error
    numbers = sum(layout.width // 4 for layout in layouts.values())
    if file.metadata.num_rows * numbers > limits.max_cells:
        what = f"The Parquet file has {file.metadata.num_rows:,} rows with {numbers:,} numbers in lists"
        raise limits.refuse("max_cells", what)
    labels = class_names(file.schema_arrow)
    source = Source(iter(()), layouts | pictures.layouts(), most_rows=file.metadata.num_rows)
    source.target = next(iter(labels)) if len(labels) == 1 else None
    source.categories = _categories(file)
    source.warnings += pictures.warnings() if is_one_file else []
    source.batches = _batches(file, source, pictures, labels)
    return source


def _check(file: pq.ParquetFile, limits: Limits) -> None:
    metadata = file.metadata
    names = file.schema_arrow.names
    if metadata.num_columns > limits.max_columns or len(names) > limits.max_columns:
        raise limits.refuse("max_columns", f"The Parquet file has {metadata.num_columns:,} columns")
    if metadata.num_rows > limits.max_rows:
        raise limits.refuse("max_rows", f"The Parquet file has {metadata.num_rows:,} rows")
    limits.check_cells(metadata.num_rows, len(names), "The Parquet file")
    if not names or len(set(names)) < len(names) or not all(name.strip() and len(name) <= 200 for name in names):
        raise DataError("The Parquet file's columns need names of 1 to 200 characters, each used once.")
    sizes = [metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)]
    if sum(sizes) > limits.max_expanded_bytes:
        raise limits.refuse("max_expanded_bytes", f"The Parquet file expands to {sum(sizes):,} bytes")
    # Some columns of a group are held at once, in pages of any size.
    if max(sizes, default=0) > min(_LARGEST_GROUP, limits.max_memory_bytes // 4):
        what = f"A row group of the Parquet file has {max(sizes):,} bytes, and needs four times as much memory"
        raise limits.refuse("max_memory_bytes", what)
    for field in file.schema_arrow:
        if not _usable(field.type):
            raise DataError(
                f"Column {field.name!r} of the Parquet file has the type {str(field.type)[:200]}, which cannot be "
                "used. Use numbers, booleans, strings, lists of strings, lists of numbers or pictures ({bytes, path})."
            )


def _usable(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return (
        _is_number(kind)
        or _is_words(kind)
        or _is_vector(kind)
        or _is_tokens(kind)
        or pa.types.is_boolean(kind)
        or holds_pictures(kind)
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_words(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind) or types.is_temporal(kind))


def _categories(file: pq.ParquetFile) -> frozenset[str]:
    """The columns of numbers that were categories when the file was written. Strings are such also to save space.

    Arrow reads these columns as numbers, but the file keeps the schema that they had.
    """
    try:
        written = base64.b64decode((file.metadata.metadata or {})[b"ARROW:schema"])
        schema = pa.ipc.read_schema(pa.BufferReader(written))
    except (KeyError, ValueError, OSError, pa.ArrowException):
        return frozenset()
    names = {field.name for field in schema if pa.types.is_dictionary(field.type) and _is_number(field.type.value_type)}
    return frozenset(field.name for field in file.schema_arrow if field.name in names and _is_number(field.type))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_vector(kind: pa.DataType, axes: int = MOST_AXES) -> bool:
    is_nested = axes > 1 and _is_list(kind) and _is_vector(kind.value_type, axes - 1)
    return _is_list(kind) and (_is_number(kind.value_type) or is_nested)


def _is_tokens(kind: pa.DataType) -> bool:
    return _is_list(kind) and bool(pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type))


def _shape(file: pq.ParquetFile, field: pa.Field) -> tuple[int, ...]:
    """The lengths of the axes of the first array."""
    for batch in file.iter_batches(batch_size=1000, columns=[field.name]):
        lists, shape = batch.column(0).drop_null(), list[int]()
        while _is_list(lists.type) and len(lists := lists.filter(pc.greater(pc.list_value_length(lists), 0))):
            shape.append(int(pc.list_value_length(lists)[0].as_py()))
            lists = lists.flatten()
        if not _is_list(lists.type):
            return tuple(shape)
    raise DataError(f"Column {field.name!r} of the Parquet file contains only empty lists. Leave it out.")


def _batches(
    file: pq.ParquetFile, source: Source, pictures: PictureColumns, labels: dict[str, list[str]]
) -> Iterator[pa.RecordBatch]:
    names = file.schema_arrow.names
    files = [name for name in names if name in pictures.surveys]
    width = sum(layout.width for layout in source.layouts.values())
    if files:
        groups = (file.metadata.row_group(group) for group in range(file.metadata.num_row_groups))
        width += sum(group.total_byte_size for group in groups) // max(1, file.metadata.num_rows)
    most = min(BATCH_ROWS, BATCH_BYTES // max(1, width), BATCH_CELLS // len(names))
    start = 0
    durations = {field.name: 0 for field in file.schema_arrow if pa.types.is_duration(field.type)}
    try:
        for batch in file.iter_batches(batch_size=max(1, most)):
            batch.validate(full=True)
            columns = []
            for name in names:
                values, layout = batch.column(name), source.layouts.get(name)
                if name in files and layout is not None:
                    columns.append(pictures.decoded(values, layout))
                elif name in labels:
                    columns.append(named(values, labels[name], name, start))
                else:
                    cells = _column(values, name, layout, start)
                    columns.append(cells.cast(pa.string()) if name in source.categories else cells)
                    if name in durations:
                        durations[name] += len(values) - values.null_count
            yield _whole(pa.record_batch(columns, names=names), files, source, start)
            start += batch.num_rows
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        reason = _first_line(error)
        raise DataError(f"The Parquet file is damaged after row {start} ({reason}). Write it again.") from error
    for name, count in durations.items():
        message = f"column {shown(name)}: {counted(count, 'duration is', 'durations are')} read as numbers of seconds"
        cure = "send seconds to predict, too"
        source.warnings.append(Warned(code="durations", column=column_field(name), message=message, suggestion=cure))
    if source.skipped:
        message = (
            counted(len(source.skipped), "was", "were", of=f"{start:,} rows")
            + " left out, because a picture is missing or damaged"
        )
        rows, cure = source.skipped[:_SHOWN], "write the pictures again, and upload"
        source.warnings.append(Warned(code="damaged_images", message=message, rows=rows, suggestion=cure))


def _whole(batch: pa.RecordBatch, files: list[str], source: Source, start: int) -> pa.RecordBatch:
    """The rows that have all their pictures."""
    is_whole = np.ones(batch.num_rows, bool)
    for name in files:
        is_whole &= batch.column(name).is_valid().to_numpy(zero_copy_only=False)
    if is_whole.all():
        return batch
    source.skipped.extend((start + 1 + np.flatnonzero(~is_whole)).tolist())
    return batch.filter(pa.array(is_whole))


def _column(values: pa.Array, name: str, layout: Layout | None, start: int) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if layout is not None:
        return _vectors(values, name, layout.shape, start)
    if pa.types.is_decimal(values.type) or pa.types.is_float16(values.type):
        return values.cast(pa.float64())
    if _is_tokens(values.type):
        return values.cast(pa.list_(pa.string()))
    if pa.types.is_duration(values.type):
        return pc.divide(values.cast(pa.int64()).cast(pa.float64(), safe=False), _A_SECOND[values.type.unit])
    if _is_words(values.type):
        return values.cast(pa.string())
    return values


def _vectors(values: pa.Array, name: str, shape: tuple[int, ...], start: int) -> pa.Array:
    present = values.drop_null()
    places, inner = pc.indices_nonzero(values.is_valid()), present
    for axis, length in enumerate(shape):
        lengths = pc.fill_null(pc.list_value_length(inner), 0).to_numpy(zero_copy_only=False)
        wrong = np.flatnonzero(lengths != length)
        if wrong.size:
            row = places[int(wrong[0]) // prod(shape[:axis])].as_py()
            raise DataError(
                f"Row {start + row + 1}, column {name!r}: {lengths[wrong[0]]} numbers, but other rows have {length}. "
                "Lists of numbers must be equally long."
            )
        inner = inner.flatten()
    flat = inner.cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False)
    packed = iter(np.ascontiguousarray(flat, np.float32).reshape(-1, prod(shape)))
    rows = [next(packed).tobytes() if valid else None for valid in values.is_valid().to_pylist()]
    return pa.array(rows, pa.binary(4 * prod(shape)))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
