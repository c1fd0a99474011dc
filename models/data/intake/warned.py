"""Warnings about a dataset, with row numbers."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from athanor.contract import Schema, Warned
from models.data.checks import Inspection
from models.data.columns import field, settled, shown
from models.data.counted import counted
from models.data.intake.duplicates import Duplicates
from models.data.intake.evidence import Evidence
from models.data.intake.missing import SHOWN
from models.data.intake.summary import Summary
from models.data.table import Source

_MOST = 20
_SPELLINGS = 4
"""Spellings of one value that a warning names."""
_LONGEST = 40
"""The largest number of characters of a value in a warning."""


def warnings_of(
    source: Source,
    schema: Schema,
    rows: int,
    summaries: list[Summary],
    evidence: dict[str, Evidence],
    duplicates: Duplicates,
    inspection: Inspection,
) -> list[Warned]:
    """Warnings of the reader, missing values, text among numbers, columns of one value, duplicate rows, and leaks.

    Rows are numbered as in the file, including rows that the reader left out. Each code appears at most 20 times.
    """
    offsets = [row - 1 - index for index, row in enumerate(source.skipped)]
    found = list(source.warnings)
    if rows == 1:
        message = "the dataset has 1 row; training needs two or more, and a validation part more"
        found.append(Warned(code="one_row", message=message, rows=[1], suggestion="upload more rows"))
    for summary in summaries:
        found += _of_column(summary, evidence[summary.name], schema, rows, offsets)
    found += [
        warned.model_copy(update={"rows": [_in_file(row, offsets) for row in warned.rows]})
        for warned in inspection.warnings
    ]
    if len(summaries) > 1:
        found += _repeated(duplicates, rows, offsets)
    return _few(found)


def _of_column(summary: Summary, evidence: Evidence, schema: Schema, rows: int, offsets: list[int]) -> Iterator[Warned]:
    name = summary.name
    if summary.missing.count:
        yield Warned(
            code="missing_values",
            column=field(name),
            message=f"column {shown(name)}: "
            + counted(summary.missing.count, "has no value", "have no value", of=f"{rows:,} rows"),
            rows=[_in_file(row, offsets) for row in summary.missing.rows],
            suggestion="fill them in or leave the rows out, if these rows should not count like others",
        )
    if merged := summary.merged(evidence.spellings):
        told = " and ".join(
            ", ".join(repr(_short(each)) for each in spellings[:_SPELLINGS]) for spellings in merged[:2]
        )
        count = counted(len(merged), "value", "values")
        yield Warned(
            code="merged_spellings",
            column=field(name),
            message=f"column {shown(name)}: {sum(map(len, merged)):,} spellings are read as {count}: {told}",
            suggestion="write those in other words that differ in meaning",
        )
    if not summary.has_numbers and (strays := evidence.strays()):
        at = [_in_file(row, offsets) for row, _ in strays.at]
        message = f"column {shown(name)}: "
        message += counted(strays.numbers, "is a number", "are numbers", of=f"{strays.values:,} values")
        word = strays.word if field(name) and len(strays.word or "") <= _LONGEST else None
        message += "" if word is None else ", and all others are one word"
        yield Warned(
            code="mostly_numbers",
            column=field(name),
            message=f"{message}; row {at[0]} says {_short(strays.at[0][1])!r}",
            rows=at,
            suggestion="correct these cells or leave them empty, so that the column is read as numbers"
            if word is None
            else f"if {word!r} means that a value is missing, "
            + settled({name: {"kind": "number", "missing": [word]}}),
        )
    if summary.distinct != 1 or rows == 1:
        return
    if name == schema.target:
        yield Warned(
            code="one_class_target",
            column=field(name),
            message=f"the target {shown(name)} has the same value in all {rows - summary.missing.count:,} rows that "
            "have one: there is nothing to learn",
            suggestion="name another column in dataset.target, or add rows with other values",
        )
    elif not summary.missing.count and name != schema.part:
        yield Warned(
            code="constant_column",
            column=field(name),
            message=f"column {shown(name)}: all {rows:,} rows have the same value; a job does not learn from it",
            suggestion="nothing can be learned from it; leave it out of the file",
        )


def _repeated(duplicates: Duplicates, rows: int, offsets: list[int]) -> list[Warned]:
    again = duplicates.rows()
    if not len(again):
        return []
    message = f"rows equal to an earlier row: {len(again):,} of {rows:,}"
    if duplicates.checked < rows:
        message += f" (only the first {duplicates.checked:,} rows were compared)"
    return [
        Warned(
            code="duplicate_rows",
            message=message,
            rows=[_in_file(int(row), offsets) for row in again[:SHOWN]],
            suggestion="if they are copies, leave them out: a random split puts equal rows into training and test",
        )
    ]


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
    return kept + [
        Warned(code=code, message=counted(count, "more warning", "more warnings") + " of this kind")
        for code, count in more.items()
    ]
