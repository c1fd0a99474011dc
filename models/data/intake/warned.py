"""Warnings about a dataset, with row numbers."""

from bisect import bisect_left
from collections import Counter

from athanor.contract import Schema, Warned
from models.data.intake.duplicates import Duplicates
from models.data.intake.evidence import SHOWN, Evidence
from models.data.intake.summary import Summary
from models.data.table import Source

_MOST = 20
_LONGEST = 40
"""The largest number of characters of a value in a warning."""


def warnings_of(
    source: Source,
    schema: Schema,
    rows: int,
    summaries: list[Summary],
    evidence: dict[str, Evidence],
    duplicates: Duplicates,
) -> list[Warned]:
    """Warnings of the reader, missing values, text among numbers, columns of one value, rare classes, duplicate rows.

    Rows are numbered as in the file, including rows that the reader left out. Each code appears at most 20 times.
    """
    offsets = [row - 1 - index for index, row in enumerate(source.skipped)]
    found = list(source.warnings)
    if rows == 1:
        message = "the dataset has one row; training needs two or more, and a validation part more; upload more rows"
        found.append(Warned(code="one_row", message=message))
    for summary in summaries:
        if summary.missing:
            message = f"column {summary.name!r}: {summary.missing:,} of {rows:,} rows have no value"
            at = [_in_file(row, offsets) for row in summary.missing_at]
            found.append(Warned(code="missing_values", message=message, rows=at))
        if strays := evidence[summary.name].strays():
            at = [_in_file(row, offsets) for row, _ in strays.at]
            message = f"column {summary.name!r}: {strays.numbers:,} of {strays.values:,} values are numbers"
            message += f"; row {at[0]} says {_short(strays.at[0][1])!r}"
            found.append(Warned(code="mostly_numbers", message=message, rows=at))
        if summary.name == schema.target:
            if summary.distinct == 1 and rows > 1:
                message = f"the target {summary.name!r} has the same value in every row: there is nothing to learn"
                found.append(Warned(code="one_class_target", message=message))
        elif summary.distinct == 1 and not summary.missing and rows > 1 and summary.name != schema.part:
            message = f"column {summary.name!r} has the same value in every row"
            found.append(Warned(code="constant_column", message=message))
    if len(summaries) > 1:
        found += _repeated(duplicates, rows, offsets)
    return _few(found)


def _repeated(duplicates: Duplicates, rows: int, offsets: list[int]) -> list[Warned]:
    again = duplicates.rows()
    if not len(again):
        return []
    message = f"rows equal to an earlier row: {len(again):,}"
    if duplicates.checked < rows:
        message += f" (only the first {duplicates.checked:,} rows were compared)"
    return [Warned(code="duplicate_rows", message=message, rows=[_in_file(int(row), offsets) for row in again[:SHOWN]])]


def _short(value: str) -> str:
    return value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"


def _in_file(kept: int, offsets: list[int]) -> int:
    """The row number in the file of row `kept` of the dataset. `offsets`: the rows kept before each skipped row."""
    return kept + bisect_left(offsets, kept)


def _few(found: list[Warned]) -> list[Warned]:
    total = Counter(warned.code for warned in found)
    told: Counter[str] = Counter()
    kept = []
    for warned in found:
        told[warned.code] += 1
        if told[warned.code] <= _MOST:
            kept.append(warned)
    more = {code: count - _MOST for code, count in total.items() if count > _MOST}
    return kept + [Warned(code=code, message=f"{count:,} more warnings of this kind") for code, count in more.items()]
