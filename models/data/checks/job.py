"""Look at the rows of a job: what depends on its target, and on the parts into which its rows were divided."""

from collections.abc import Mapping, Sequence

import numpy as np

from athanor.contract import Column, Warned
from models.data.checks import overlap
from models.data.checks.classes import near_equal, untrained
from models.data.checks.contradictions import contradicting
from models.data.checks.sample import Sample
from models.data.checks.upload import told_determining
from models.data.table import Rows, Table


def inspect_job(
    table: Table,
    inputs: Sequence[Column],
    target: Column,
    parts: Mapping[str, Rows],
    *,
    has_classes: bool,
    drawn: bool,
    known: bool,
) -> list[Warned]:
    """Warnings about a job's rows, whose cells were read. `parts` has the row numbers, from 0, of train, val and test.

    `has_classes`: the target has classes. `drawn`: the parts were drawn at random. `known`: the dataset's own warnings
    are about this target.
    """
    compared = [column for column in inputs if column.name != target.name] or list(inputs)
    warned, digests = list[Warned](), _digests(table, compared)
    if digests is not None:
        warned += _overlaps(digests, compared, parts, drawn=drawn)
    if digests is not None and has_classes:
        values = table.data[target.name].combine_chunks()
        warned += contradicting(digests, np.arange(table.rows), values, target, compared)
    if has_classes:
        warned += untrained(table.data[target.name].combine_chunks(), target, parts)
    if not known:
        sample = Sample.of_table(table, [target, *(column for column in inputs if column.name != target.name)])
        warned += told_determining(inputs, target, sample)
        if has_classes:
            warned += near_equal(target, sample)
    return warned


def _digests(table: Table, compared: Sequence[Column]) -> overlap.Digests | None:
    """A digest of the inputs of each row; None if there are too many."""
    arrays = [table.data[column.name].combine_chunks() for column in compared]
    if table.rows > overlap.MOST_ROWS or table.rows * len(arrays) > overlap.MOST_CELLS:
        return None
    return None if sum(values.nbytes for values in arrays) > overlap.MOST_BYTES else overlap.digests(arrays)


def _overlaps(
    digests: overlap.Digests, compared: Sequence[Column], parts: Mapping[str, Rows], *, drawn: bool
) -> list[Warned]:
    what = "equal in all inputs, apart from case and white space"
    cure = "leave the copies out of the file, and upload it again"
    if drawn:
        cure += "; or add a column that says train, val or test, the same for all copies of a row"
    tolerance, possible = overlap.DRAWN if drawn else overlap.GIVEN, overlap.possible_rows(compared)
    return overlap.overlaps(digests, parts, possible, what, tolerance, cure)
