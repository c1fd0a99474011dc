"""Look at an upload: columns that jobs leave out, and warnings that need no spec."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.contract import Column, Schema, Warned
from models.data.checks import contradictions, overlap
from models.data.checks.classes import has_classes, near_equal, rare, untrained, whole_numbers
from models.data.checks.dates import mostly_dates
from models.data.checks.determination import determines
from models.data.checks.groups import are_groups, torn, torn_by
from models.data.checks.identifiers import identifier, is_named_id, resembles, rises
from models.data.checks.markers import missing_marker
from models.data.checks.parts import divides_rows, is_split, unused
from models.data.checks.sample import Sample
from models.data.checks.totals import total_row
from models.data.checks.weights import weights
from models.data.columns import LONGEST, LONGEST_FIELD, shown
from models.data.table import part_of
from models.parts.feature import of

_LISTED = 10
"""Columns that a suggestion names."""


@dataclass
class Inspection:
    """What was found. `left_out` has the reason for each column that jobs leave out by default."""

    left_out: dict[str, str] = field(default_factory=dict)
    warnings: list[Warned] = field(default_factory=list)


def inspect(path: Path, schema: Schema, rows: int) -> Inspection:
    """Look at the Parquet file of an upload. Time and memory are bounded: a part of a large file is looked at."""
    sample, found = Sample.of_file(path, schema.columns, rows), Inspection()
    target = next((column for column in schema.columns if column.name == schema.target), None)
    others = [column for column in schema.columns if column.name not in (schema.target, schema.part)]
    for column in others:
        _look_at(column, sample, rows, found)
    inputs = [column for column in others if column.name not in found.left_out] or _spared(others, found)
    if target is not None:
        found.warnings += rare(target, sample) + whole_numbers(target, rows) + told_determining(inputs, target, sample)
        found.warnings += contradictions.of_file(path, inputs, target, rows)
    for column in schema.columns:
        if column.name not in found.left_out and column.name != schema.part:
            found.warnings += near_equal(column, sample) + missing_marker(column, sample)
        found.warnings += mostly_dates(column, sample)
    found.warnings += total_row(others, sample)
    groups = [column for column in inputs if column.name in sample.columns and are_groups(column, sample)]
    if schema.part is None:
        found.warnings += [torn(column, sample) for column in groups]
    splits = [column.name for column in schema.columns if column.name == schema.part or is_split(column)]
    if splits:
        divided = groups if splits[0] in sample.columns else []
        of_files = splits[0] == schema.part
        by_parts = [each for column in divided for each in torn_by(splits[0], column, sample, of_files=of_files)]
        # Of these columns, more was just said than that their values are in two parts.
        told = {warned.column for warned in by_parts}
        alone = [column for column in inputs if not of(column).side_by_side and column.name not in told]
        found.warnings += by_parts + _of_given_parts(path, splits[0], inputs, alone, target, rows)
    return found


def _spared(others: Sequence[Column], found: Inspection) -> list[Column]:
    """Columns that only number the rows stay inputs where nothing else is left: they may be the x of a curve."""
    spared = [column for column in others if _may_be_learned(column)]
    for column in spared:
        reason = found.left_out.pop(column.name)
        seen = reason.partition(";")[0]
        message = f"column {shown(column.name)}: {seen}; a job learns from it, because nothing else is left"
        for place, warned in enumerate(found.warnings):
            if warned.code == "identifier" and warned.column == column.name:
                suggestion = "if it identifies the rows, add columns to learn from"
                found.warnings[place] = warned.model_copy(update={"message": message, "suggestion": suggestion})
    return spared


def _may_be_learned(column: Column) -> bool:
    return column.integer and column.distinct != 1 and not is_named_id(column.name) and not divides_rows(column)


def _look_at(column: Column, sample: Sample, rows: int, found: Inspection) -> None:
    if column.missing == rows:
        found.left_out[column.name] = f"none of the {rows:,} rows has a value"
        return
    if column.distinct == 1 and not column.missing and rows > 1:
        found.left_out[column.name] = f"all {rows:,} rows have the same value"
        return
    if len(column.name) <= LONGEST_FIELD and (beside := unused(column) or weights(column)):
        found.left_out[column.name], warned = beside
        found.warnings.append(warned)
        return
    if column.name not in sample.columns:
        return
    name = json.dumps(column.name, ensure_ascii=False)
    if reason := identifier(column, sample):
        found.left_out[column.name] = f"{reason}; name it in dataset.inputs to learn from it"
        message = f"column {shown(column.name)}: {reason}; a job does not learn from it unless its spec names it"
        suggestion = f'to learn from it, name all inputs: {{"dataset": {{"inputs": [{name}, …]}}}}'
        found.warnings.append(
            Warned(
                code="identifier",
                column=column.name,
                message=message,
                rows=[int(row) for row in sample.rows[:3]],
                suggestion=suggestion,
            )
        )
    elif odd := _oddity(column, sample):
        code, message = odd
        found.warnings.append(
            Warned(
                code=code,
                column=column.name,
                message=f"column {shown(column.name)}: {message}{sample.extent}",
                rows=[int(row) for row in sample.rows[:3]],
                suggestion=f"if so, name the columns to learn from, without {name}, in dataset.inputs",
            )
        )


def _oddity(column: Column, sample: Sample) -> tuple[str, str] | None:
    """Why a column that jobs learn from may identify the rows: the code of a warning, and its sentence."""
    if odd := rises(column, sample):
        return "rising", f"{odd}; if it numbers the rows, a job learns their order from it"
    if odd := resembles(column, sample):
        return "identifier", f"{odd}; if they identify the rows, a job learns them by heart"
    return None


def told_determining(inputs: Sequence[Column], target: Column, sample: Sample) -> list[Warned]:
    """Warnings about columns that determine the target, where there are others to learn from."""
    if target.name not in sample.columns or len(inputs) < 2:
        return []
    warned = []
    for column in inputs:
        if column.name in sample.columns and (how := determines(column, target, sample)):
            warned.append(
                Warned(
                    code="determines_target",
                    column=column.name,
                    message=f"column {shown(column.name)} determines the target: {how}{sample.extent}; a job that "
                    "learns from it looks perfect, and fails where its values are not known before",
                    rows=[int(row) for row in sample.rows[:3]],
                    suggestion=_without(column, inputs),
                )
            )
    return warned


def _without(column: Column, inputs: Sequence[Column]) -> str:
    """How a spec leaves a column out."""
    beside = of(column).side_by_side
    names = [each.name for each in inputs if each.name != column.name and of(each).side_by_side == beside]
    if not 0 < len(names) <= _LISTED or max(map(len, names)) > LONGEST:
        return f"if so, name the columns to learn from, without {shown(column.name)}, in dataset.inputs"
    return "if so, leave it out: " + json.dumps({"dataset": {"inputs": names}}, ensure_ascii=False)


def _of_given_parts(
    path: Path,
    split: str,
    inputs: Sequence[Column],
    alone: Sequence[Column],
    target: Column | None,
    rows: int,
) -> list[Warned]:
    """Warnings about rows of given parts. Each batch is read once; only digests and classes are kept.

    Rows are compared in all inputs, and in each of `alone`.
    """
    compared = [column for column in inputs if column.name != split]
    texts = [column for column in alone if column.name != split] if len(compared) > 1 else []
    if not compared or rows > overlap.MOST_ROWS or rows * len(compared) > overlap.MOST_CELLS:
        return []
    width = sum(of(column).layout(column).width for column in compared if column.shape)
    if width * rows > overlap.MOST_BYTES:
        return []
    found: dict[str, list[overlap.Digests]] = {"": [], **{column.name: [] for column in texts}}
    answers = [target] if target is not None and has_classes(target) else []
    said: list[str] = []
    classes: list[pa.Array] = []
    names = [split, *(column.name for column in (*compared, *answers))]
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=names, use_threads=False):
            said += [part_of(value or "") or "" for value in batch.column(split).cast(pa.string()).to_pylist()]
            cells = {column.name: of(column).read(batch.column(column.name), column) for column in compared}
            found[""].append(overlap.digests(list(cells.values())))
            classes += [of(column).read(batch.column(column.name), column) for column in answers]
            for column in texts:
                found[column.name].append(overlap.digests([cells[column.name]]))
    parts = {name: np.flatnonzero(np.array(said) == name) for name in ("train", "val", "test")}
    cure = "leave these rows out of one of the parts, and upload the file again"
    warned = []
    for name, pieces in found.items():
        what = f"equal in column {shown(name)}" if name else "equal in all columns but the target"
        what += ", apart from case and white space" if name or texts else ""
        possible = overlap.possible_rows([column for column in compared if name in ("", column.name)])
        warned += overlap.overlaps(np.concatenate(pieces), parts, possible, what, overlap.GIVEN, cure)
    warned = _distinct(warned)
    if target is not None and classes:
        warned += untrained(pa.concat_arrays(classes), target, parts)
    return warned


def _distinct(warned: list[Warned]) -> list[Warned]:
    """Without warnings about the same rows, which a single column of text causes."""
    kept: dict[tuple[str, tuple[int, ...]], Warned] = {}
    for each in warned:
        kept.setdefault((each.message.partition("(")[0], tuple(each.rows)), each)
    return list(kept.values())
