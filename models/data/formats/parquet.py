"""Parquet files as written by pandas, Polars or Hugging Face."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.data.formats.limits import GIB, Limits
from models.data.formats.lines import BATCH_BYTES, BATCH_CELLS, BATCH_ROWS
from models.data.table import Layout, Source
from models.errors import DataError

_LARGEST_GROUP = GIB


def read(path: Path, limits: Limits) -> Source:
    """Read numbers, booleans, strings, lists of strings (tokens) and lists of numbers of one length (arrays).

    Dates and times are converted to strings. Raises DataError for other types and for a damaged file.
    """
    try:
        file = pq.ParquetFile(path)
        _check(file, limits)
        layouts = {
            field.name: Layout("array", (_length(file, index, field),))
            for index, field in enumerate(file.schema_arrow)
            if _is_vector(field.type)
        }
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"The Parquet file cannot be read ({_first_line(error)}). Write it again.") from error
    numbers = sum(layout.width // 4 for layout in layouts.values())
    if file.metadata.num_rows * numbers > limits.max_cells:
        what = f"The Parquet file has {file.metadata.num_rows:,} rows with {numbers:,} numbers in lists"
        raise limits.refuse("max_cells", what)
    return Source(_batches(file, layouts), layouts, most_rows=file.metadata.num_rows)


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
                "used. Use numbers, booleans, strings, lists of strings or lists of numbers."
            )


def _usable(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return _is_number(kind) or _is_words(kind) or _is_vector(kind) or _is_tokens(kind) or pa.types.is_boolean(kind)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_words(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind) or types.is_temporal(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_vector(kind: pa.DataType) -> bool:
    return _is_list(kind) and _is_number(kind.value_type)


def _is_tokens(kind: pa.DataType) -> bool:
    return _is_list(kind) and bool(pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type))


def _length(file: pq.ParquetFile, index: int, field: pa.Field) -> int:
    if pa.types.is_fixed_size_list(field.type):
        length = int(field.type.list_size)
    else:
        batches = file.iter_batches(batch_size=1000, columns=[field.name])
        lengths = (pc.max(pc.list_value_length(batch.column(0))).as_py() for batch in batches)
        length = next((int(length) for length in lengths if length is not None), 0)
    if length < 1:
        raise DataError(f"Column {field.name!r} of the Parquet file contains only empty lists. Leave it out.")
    return length


def _batches(file: pq.ParquetFile, layouts: dict[str, Layout]) -> Iterator[pa.RecordBatch]:
    names = file.schema_arrow.names
    width = sum(layout.width for layout in layouts.values())
    most = min(BATCH_ROWS, BATCH_BYTES // max(1, width), BATCH_CELLS // len(names))
    start = 0
    try:
        for batch in file.iter_batches(batch_size=max(1, most)):
            batch.validate(full=True)
            columns = [_column(batch.column(name), name, layouts.get(name), start) for name in names]
            yield pa.record_batch(columns, names=names)
            start += batch.num_rows
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        reason = _first_line(error)
        raise DataError(f"The Parquet file is damaged after row {start} ({reason}). Write it again.") from error


def _column(values: pa.Array, name: str, layout: Layout | None, start: int) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if layout is not None:
        return _vectors(values, name, layout.shape[0], start)
    if pa.types.is_decimal(values.type) or pa.types.is_float16(values.type):
        return values.cast(pa.float64())
    if _is_tokens(values.type):
        return values.cast(pa.list_(pa.string()))
    if _is_words(values.type):
        return values.cast(pa.string())
    return values


def _vectors(values: pa.Array, name: str, length: int, start: int) -> pa.Array:
    lengths = pc.fill_null(pc.list_value_length(values), length).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(lengths != length)
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"Row {start + row + 1}, column {name!r}: {lengths[row]} numbers, but other rows have {length}. "
            "Lists of numbers must be equally long."
        )
    present = values.drop_null()
    flat = present.flatten().cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False)
    packed = iter(np.ascontiguousarray(flat, np.float32).reshape(-1, length))
    rows = [next(packed).tobytes() if valid else None for valid in values.is_valid().to_pylist()]
    return pa.array(rows, pa.binary(4 * length))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
