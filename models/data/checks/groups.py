"""Groups of rows, such as those of one patient, that stand in two parts: learned by heart, they look well predicted."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from athanor.contract import Column, Warned
from models.data.checks.identifiers import is_named_id, words
from models.data.checks.overlap import GIVEN
from models.data.checks.sample import Sample, codes
from models.data.columns import shown
from models.data.counted import counted
from models.data.table import part_of

FEWEST = 5
"""Groups below which a column is a category like others."""
MANY = 30
"""Values from which a column of words is pointed out by its numbers alone."""
SMALLEST, LARGEST = 2.0, 50.0
"""Rows that a group has on average."""

_OWNERS = re.compile(
    r"user|patient|subject|session|customer|person|participant|speaker|author|client|household|family|"
    r"group|device|player|student|employee|member|visitor|writer|donor|proband|host|account|respondent|"
    r"rater|annotator"
)
_CODE = re.compile(r"[^\W\d]{1,12}[-_ ]?\d+")


def are_groups(column: Column, sample: Sample) -> bool:
    """Whether the values of a column repeat so as those of persons do, of whom each has several rows."""
    values = sample.columns[column.name]
    if not (pa.types.is_string(values.type) or column.integer):
        return False
    rows_N, groups = codes(values.drop_null())
    if groups < FEWEST or not SMALLEST <= len(rows_N) / groups <= LARGEST:
        return False
    return (
        is_named_id(column.name)
        or any(_OWNERS.fullmatch(word) for word in words(column.name))
        or _names_groups(values, groups)
    )


def torn(column: Column, sample: Sample) -> Warned:
    """A warning about a column of groups, whose rows a random split tears apart."""
    values = sample.columns[column.name]
    rows_N, groups = codes(values.drop_null())
    sizes = np.bincount(rows_N)
    shared = int(sizes[sizes > 1].sum())
    return Warned(
        code="groups",
        column=column.name,
        message=f"column {shown(column.name)}: {groups:,} values, each in {len(rows_N) / groups:.1f} rows on average; "
        f"{shared:,} of {len(values):,} rows share their value with others, and a random split puts rows of one value "
        f"into training and test{sample.extent}",
        rows=sample.first(np.asarray(pc.equal(values, values.drop_null()[0]).fill_null(False), bool)),
        suggestion="if rows of one value are alike, add a column, part say, that says train, val or test for each "
        'row, the same for all rows of one value, and set {"dataset": {"split": {"kind": "given", "column": "part"}}}',
    )


def torn_by(split: str, column: Column, sample: Sample, *, of_files: bool) -> list[Warned]:
    """A warning for each part of the column `split` but train that has rows of groups that train has, too.

    `of_files` says that the parts are files of the upload, and that no file has the column.
    """
    values = sample.columns[column.name]
    are_known = values.is_valid().to_numpy(zero_copy_only=False)
    groups_N, _ = codes(values)
    said = np.array([part_of(value or "") or "" for value in sample.columns[split].cast(pa.string()).to_pylist()])
    train, warned = np.unique(groups_N[(said == "train") & are_known]), []
    for part in ("val", "test"):
        cure = (
            f"move rows to the other file, so that all rows of one value are in train or all in {part}"
            if of_files
            else f"write the same part into column {shown(split)} for all rows of one value"
        )
        of_part = (said == part) & are_known
        again = of_part & np.isin(groups_N, train)
        if not again.any() or again.sum() < GIVEN.share * (said == part).sum():
            continue
        count, of = len(np.unique(groups_N[again])), len(np.unique(groups_N[of_part]))
        told = counted(count, "is", "are", of=f"the {of:,} values in {part}")
        have = counted(int(again.sum()), "has", "have", of=f"the {int((said == part).sum()):,} rows of {part}")
        warned.append(
            Warned(
                code="groups_in_two_parts",
                column=column.name,
                message=f"column {shown(column.name)}: {told} in train, too, and {have} one of "
                f"them{sample.extent}; if rows of one value are alike, results on {part} look better than they are",
                rows=sample.first(again),
                suggestion=f"if so, {cure}, and upload the file again",
            )
        )
    return warned


def _names_groups(values: pa.Array, groups: int) -> bool:
    """Whether words are many and look like codes, such as P017, or are very many."""
    if not pa.types.is_string(values.type):
        return False
    distinct = values.drop_null().unique()
    if pc.max(pc.binary_length(distinct)).as_py() > 64:
        return False
    are_codes = all(_CODE.fullmatch(value) for value in distinct.slice(0, 1000).to_pylist())
    return groups >= MANY or (are_codes and groups >= 2 * FEWEST)
