"""Columns that say train, val and test, which a random split does not use."""

import json

from athanor.contract import Column, Warned
from models.data.columns import shown
from models.data.table import part_of


def is_split(column: Column) -> bool:
    """Whether all values name a part, some of them train and some another one."""
    parts = {part_of(value) for value in column.classes or []}
    return "train" in parts and len(parts) > 1 and None not in parts


def unused(column: Column) -> Warned:
    """A warning about such a column."""
    counts = zip(column.classes or [], column.counts or [], strict=True)
    told = ", ".join(f"{value} {count:,}" for value, count in counts)
    use = json.dumps({"dataset": {"split": {"kind": "given", "column": column.name}}}, ensure_ascii=False)
    return Warned(
        code="unused_split",
        column=column.name,
        message=f"column {shown(column.name)} names parts of the data ({told} rows); a job does not learn from it, and "
        "divides the rows at random unless its spec says otherwise",
        suggestion=f"to train and test on these parts, set {use}",
    )
