"""Columns that would be dates but for a few cells, which make all of it text."""

import pyarrow as pa

from athanor.contract import Column, Warned
from models.data.checks.sample import Sample
from models.data.columns import LONGEST, shown
from models.parts.dates import mostly

LISTED, MOST_SAID = 3, 50
"""Cells that a message repeats, and of which it takes those that differ."""


def mostly_dates(column: Column, sample: Sample) -> list[Warned]:
    """A warning about a column of strings of which nine of ten are dates in one format."""
    values = sample.columns.get(column.name)
    if values is None or not pa.types.is_string(values.type) or not (found := mostly(values)):
        return []
    format, odd = found
    said = dict.fromkeys(values.filter(pa.array(odd)).slice(0, MOST_SAID).to_pylist())
    listed = ", ".join(repr(each[:LONGEST]) for each in [*said][:LISTED])
    return [
        Warned(
            code="mostly_dates",
            column=column.name,
            message=f"column {shown(column.name)} is read as {column.kind}: its values are dates ({format}) or "
            f"missing, but for {int(odd.sum()):,} of {len(odd):,}: {listed}{sample.extent}",
            rows=sample.first(odd),
            suggestion="correct or empty these cells, and upload the file again",
        )
    ]
