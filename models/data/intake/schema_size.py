"""Keep the description of a dataset small: the service sends it in every answer about the dataset."""

from athanor.contract import Column, Schema
from models.data.formats.limits import MIB, Limits
from models.parts.feature import of as feature_of

_COLUMN = 700
"""Bytes of JSON of a column, besides its name and its classes."""
_COUNT = 12
"""Bytes of a number or of the signs around a name."""


def answer_bytes(limits: Limits) -> int:
    """The longest description of a dataset in JSON, which has marks around names and escapes some characters."""
    return 2 * limits.max_schema_bytes + _COLUMN * limits.max_columns + MIB // 4


def bounded(schema: Schema, limits: Limits) -> Schema:
    """The schema, with at most `max_schema_bytes` bytes of names, classes and counts.

    Where it has more, columns lose what only a target needs: the classes of whole numbers and of lists of words, the
    longest first. The suggested target keeps its classes. Raises OverLimit if this is not enough.
    """
    sizes = {column.name: _size(column) for column in schema.columns}
    total, most = sum(sizes.values()), limits.max_schema_bytes
    spare = [column for column in schema.columns if column.classes and column.name != schema.target]
    for column in sorted(spare, key=lambda column: -sizes[column.name]):
        if total > most and feature_of(column).names != "classes":
            column.classes = column.counts = None
            total += _size(column) - sizes[column.name]
    if total > most:
        longest = max(schema.columns, key=_size)
        what = f"The names of columns and classes take {total:,} bytes"
        raise limits.refuse("max_schema_bytes", f"{what}, those of column {longest.name!r} {_size(longest):,}")
    return schema


def _size(column: Column) -> int:
    """Bytes of what has no fixed size in the description of a column, about as JSON has them."""
    parts = column.missing_by_part or {}
    names = [column.name, *(column.classes or []), *parts, *(value for counts in parts.values() for value in counts)]
    return sum(len(name.encode()) + _COUNT for name in names) + _COUNT * len(column.counts or [])
