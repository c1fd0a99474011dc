"""Columns that say train, val and test, or number folds, which a random split does not use."""

import json
import re

from athanor.contract import Column, Warned
from models.data.checks.identifiers import words
from models.data.columns import shown
from models.data.table import part_of

_FOLD = re.compile(r"k?folds?")
MOST_FOLDS = 20


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


def numbers_folds(column: Column) -> bool:
    """Whether the column is named after folds and holds the numbers from 0 or 1 on, each of them."""
    if not column.integer or not any(_FOLD.fullmatch(word) for word in words(column.name)):
        return False
    count = column.distinct or 0
    return 1 < count <= MOST_FOLDS and column.min in (0, 1) and column.max == column.min + count - 1


def unused_folds(column: Column) -> Warned:
    """A warning about such a column."""
    assert column.min is not None and column.max is not None
    use = json.dumps({"dataset": {"split": {"kind": "folds", "n": column.distinct}}})
    return Warned(
        code="unused_split",
        column=column.name,
        message=f"column {shown(column.name)} numbers {column.distinct} folds ({column.min:.0f} to {column.max:.0f}); "
        "a job does not learn from it, and divides the rows at random",
        suggestion=f"for as many folds, drawn anew, set {use}",
    )
