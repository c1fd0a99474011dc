"""Classes: spellings that are nearly equal, and classes with too few rows."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from athanor.contract import Column, Warned
from models.data.checks.sample import SHOWN, Sample, codes
from models.data.columns import field, shown
from models.data.counted import counted
from models.data.table import Rows
from models.data.whole_numbers import MOST, number_classes
from models.parts.feature import of

LISTED = 5
"""Classes or spellings that a message names."""
FEWEST = 10
"""Rows below which no class has many."""
PARTS = 3
"""A class needs a row for each: train, val and test."""
_CALLED = re.compile(r"label|class|categor|intent|(^|[_ .])(y|id|type|kind|code|group|cluster|species|digit)$")
_LETTERS = 10
"""Values of one letter from which a and A are taken for what they are: letters."""
_JOINT = re.compile(r"(?<=\w)[-_\s]+(?=\w)")


def plain(value: str) -> str:
    """A spelling without what hardly differs to the eye: case, width, white space, hyphens, a full stop at the end."""
    folded = unicodedata.normalize("NFKC", value).casefold()
    return _JOINT.sub(" ", folded.strip().rstrip(".,;:!").strip())


def normalized(values: pa.Array) -> pa.Array:
    """Strings in their plain spelling. Each distinct one is looked at once."""
    encoded = pc.dictionary_encode(values)
    spelled = pa.array([plain(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return spelled.take(encoded.indices)


def near_equal(column: Column, sample: Sample) -> list[Warned]:
    """A warning for each group of classes that are nearly equal."""
    if not column.classes or not column.counts or column.name not in sample.columns:
        return []
    values = sample.columns[column.name]
    if not pa.types.is_string(values.type) or sum(len(name) == 1 for name in column.classes) >= _LETTERS:
        return []
    counts = dict(zip(column.classes, column.counts, strict=True))
    alike: dict[str, list[str]] = defaultdict(list)
    for name in column.classes:
        alike[plain(name)].append(name)
    found = []
    for names in alike.values():
        if len(names) < 2:
            continue
        names.sort(key=lambda name: -counts[name])
        told = ", ".join(f"{name!r} ({counted(counts[name], 'row', 'rows')})" for name in names[:LISTED])
        others = pc.fill_null(pc.is_in(values, value_set=pa.array(names[1:], pa.string())), False)
        found.append(
            Warned(
                code="near_equal_classes",
                column=column.name,
                message=f"column {shown(column.name)}: {len(names):,} values are nearly equal, and count as different "
                f"classes: {told}",
                rows=sample.first(others.to_numpy(zero_copy_only=False)),
                suggestion=f"write {names[0]!r} in all of these rows, if they mean the same, and upload the file again",
            )
        )
    return found


def whole_numbers(target: Column, rows: int) -> list[Warned]:
    """A warning about a target of whole numbers that is called like classes, and has many."""
    many = len(target.classes or [])
    if many < 2 or (many <= MOST and number_classes(target)):
        return []
    if not target.integer or rows < 2 * many or not _CALLED.search(target.name.lower()):
        return []
    return [
        Warned(
            code="whole_number_classes",
            column=field(target.name),
            message=f"the target {shown(target.name)} has {many:,} different whole numbers in {rows:,} rows, which may "
            "be classes or quantities",
            suggestion='if they are classes, set {"dataset": {"task": "classification"}}; else {"dataset": {"task": '
            '"regression"}}',
        )
    ]


def has_classes(column: Column) -> bool:
    """Whether a target like this column is taken for classes, if the spec does not say otherwise."""
    return bool(column.classes) and (of(column).names == "classes" or number_classes(column))


def rare(target: Column, sample: Sample) -> list[Warned]:
    """A warning about classes of the target with fewer rows than there are parts."""
    if not has_classes(target) or target.name not in sample.columns or len(sample) < FEWEST:
        return []
    assert target.classes is not None and target.counts is not None
    few = [(name, count) for name, count in zip(target.classes, target.counts, strict=True) if count < PARTS]
    if not few:
        return []
    values = sample.columns[target.name].cast(pa.string())
    chosen = pc.fill_null(pc.is_in(values, value_set=pa.array([name for name, _ in few], pa.string())), False)
    told = ", ".join(f"{name!r} ({count:,})" for name, count in few[:LISTED]) + (" …" if len(few) > LISTED else "")
    many = counted(len(few), "has", "have", of=f"the {len(target.classes):,} classes of {shown(target.name)}")
    return [
        Warned(
            code="rare_classes",
            column=target.name,
            message=f"{many} fewer than {PARTS} rows: {told}; a random split keeps these rows for training, so no "
            "result says how well they are learned",
            rows=sample.first(np.asarray(chosen.to_numpy(zero_copy_only=False), bool)),
            suggestion="add rows of these classes, join them to one class, or leave them out",
        )
    ]


def untrained(values: pa.Array, target: Column, parts: Mapping[str, Rows]) -> list[Warned]:
    """A warning for each part with rows of classes that no row of train has. `parts` has row numbers from 0."""
    rows_N, _ = codes(values)
    trained, warned = np.unique(rows_N[parts["train"]]), []
    for part, rows in parts.items():
        unseen = rows[~np.isin(rows_N[rows], trained)]
        unseen = unseen[values.take(pa.array(unseen)).is_valid().to_numpy(zero_copy_only=False)]
        if part == "train" or not len(unseen) or not len(trained):
            continue
        names = sorted(str(name) for name in values.take(pa.array(unseen)).unique().to_pylist())
        told = ", ".join(repr(name) for name in names[:LISTED]) + (" …" if len(names) > LISTED else "")
        warned.append(
            Warned(
                code="untrained_classes",
                column=field(target.name),
                message=f"{counted(len(unseen), 'is', 'are', of=f'the {len(rows):,} rows of {part}')} of "
                f"{counted(len(names), 'class', 'classes')} of "
                f"{shown(target.name)} that no training row has: {told}; they cannot be predicted",
                rows=[int(row) + 1 for row in np.sort(unseen)[:SHOWN]],
                suggestion="move rows of these classes to the training part, or leave them out",
            )
        )
    return warned
