"""Columns that divide the rows into parts or folds, which a random split does not use."""

import json
import re

from athanor.contract import Column, Warned
from models.data.checks.identifiers import words
from models.data.columns import shown
from models.data.table import part_of

_FOLD = re.compile(r"k?folds?")
MOST_FOLDS = 20
_FLAG = re.compile(r"(is|in)(train(ing)?|test(ing)?|val|validation|holdout)(set|row)?")
"""The words of the name of a flag, joined."""
_FLAGS = (["0", "1"], ["false", "true"], ["no", "yes"], ["n", "y"])


def divides_rows(column: Column) -> bool:
    """Whether a column says which part or fold of the data a row belongs to."""
    return is_split(column) or _numbers_folds(column) or _flags_part(column)


def is_split(column: Column) -> bool:
    """Whether all values name a part, some of them train and some another one."""
    parts = {part_of(value) for value in column.classes or []}
    return "train" in parts and len(parts) > 1 and None not in parts


def unused(column: Column) -> tuple[str, Warned] | None:
    """Why such a column is left out, and a warning about it. None for any other column."""
    if is_split(column):
        counts = zip(column.classes or [], column.counts or [], strict=True)
        told = ", ".join(f"{value} {count:,}" for value, count in counts)
        use = json.dumps({"dataset": {"split": {"kind": "given", "column": column.name}}}, ensure_ascii=False)
        return (
            "it names parts of the data; dataset.split with kind given and the column's name uses it",
            _warned(column, f"names parts of the data ({told} rows)", f"to train and test on these parts, set {use}"),
        )
    if _numbers_folds(column):
        assert column.min is not None and column.max is not None
        use = json.dumps({"dataset": {"split": {"kind": "folds", "n": column.distinct}}})
        return (
            "it numbers folds; name it in dataset.inputs to learn from it",
            _warned(
                column,
                f"numbers {column.distinct} folds ({column.min:.0f} to {column.max:.0f})",
                f"for as many folds, drawn anew, set {use}",
            ),
        )
    if _flags_part(column):
        return (
            "it says which rows are of a part of the data; name it in dataset.inputs to learn from it",
            _warned(
                column,
                "says by its 2 values which rows are of a part of the data",
                "to train and test on these parts, write train and test in its cells, and upload the file again",
            ),
        )
    return None


def _warned(column: Column, does: str, suggestion: str) -> Warned:
    return Warned(
        code="unused_split",
        column=column.name,
        message=f"column {shown(column.name)} {does}; a job does not learn from it, and divides the rows at random "
        "unless its spec says otherwise",
        suggestion=suggestion,
    )


def _numbers_folds(column: Column) -> bool:
    """Whether the column is named after folds and holds the numbers from 0 or 1 on, each of them."""
    named = [word for word in words(column.name) if word != "id"]
    if not column.integer or not named or not _FOLD.fullmatch(named[-1]):
        return False
    count = column.distinct or 0
    return 2 < count <= MOST_FOLDS and column.min in (0, 1) and column.max == column.min + count - 1


def _flags_part(column: Column) -> bool:
    """Whether a column of two truth values is named after a part: is_train, in_test."""
    is_flag = [each.lower() for each in column.classes or []] in _FLAGS
    return is_flag and _FLAG.fullmatch("".join(words(column.name))) is not None
