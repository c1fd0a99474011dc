"""Write a stream of raw rows as one Parquet file, and describe it in a schema. All other code uses these two."""

import contextlib
import os
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import JsonValue

from athanor.contract import Column, Schema, Stored, Warned
from models.data.checks import divides_rows, inspect, is_named_id
from models.data.formats.limits import Limits
from models.data.formats.lines import BATCH_BYTES, BATCH_CELLS, BATCH_ROWS, ahead
from models.data.intake.duplicates import Duplicates
from models.data.intake.evidence import Evidence
from models.data.intake.missing import Gaps
from models.data.intake.row_writer import RowWriter
from models.data.intake.schema_size import bounded
from models.data.intake.summary import Summary
from models.data.intake.texts import Texts
from models.data.intake.warned import warnings_of
from models.data.table import Layout, Source
from models.errors import DataError
from models.parts.feature import FEATURES, UNREADABLE, Feature, first_unreadable, recognize
from models.parts.feature import of as feature_of

_TARGETS = (
    *("target", "label", "labels", "class", "classes", "y", "intent", "category", "sentiment", "outcome", "diagnosis"),
    *("tags", "目标", "标签", "类别", "分类"),
)
_NOT_TARGETS = frozenset({"id", "index", "idx", "row", "part"})
_MANY = 20
"""Values from which a column that is named like an identifier is none of a few classes."""
_CLASS_CELLS = 200_000


@dataclass(frozen=True)
class Intake:
    """The result of an intake. `format` is a name in FORMATS, or empty for rows that came from no file."""

    schema: Schema
    rows: int
    warnings: list[Warned] = field(default_factory=list)
    format: str = ""
    dialect: dict[str, JsonValue] = field(default_factory=dict)


def ingest(
    source: Source, destination: Path, limits: Limits | None = None, features: Mapping[str, Feature] | None = None
) -> Intake:
    """Write `source` as the Parquet file that `Table.open` reads, and describe the columns.

    `features` says how columns are read, by their names; the others are recognized. The file has the cells as they are.
    They are written in a first pass, which finds the types and describes columns of plain numbers and of classes; a
    second pass describes the other columns. Only a few batches are in memory. Raises DataError or OverLimit; then
    `destination` does not exist.
    """
    limits = limits or Limits()
    partial = destination.with_name(destination.name + ".partial")
    try:
        first = _write(source, partial, limits, features or {})
        intake = _describe(source, first, partial, limits, features or {})
        os.replace(partial, destination)
    finally:
        partial.unlink(missing_ok=True)
    return intake


@dataclass(frozen=True)
class _FirstPass:
    rows: int
    evidence: dict[str, Evidence]
    duplicates: Duplicates


def _write(source: Source, partial: Path, limits: Limits, given: Container[str]) -> _FirstPass:
    """Write all rows, with their cells as they are, and look at each batch meanwhile.

    `given` are the columns whose features a user chose: they are looked at as strings.
    """
    evidence: dict[str, Evidence] = {}
    texts, duplicates = Texts(limits), Duplicates(0)
    rows = size = words = 0
    with contextlib.ExitStack() as stack:
        writer: RowWriter | None = None
        for batch in stack.enter_context(contextlib.closing(ahead(_resized(source.batches)))):
            if writer is None:
                _check_columns(batch, limits)
                writer = stack.enter_context(RowWriter(partial, batch))
                duplicates = Duplicates(batch.num_columns)
                most = most_classes(limits, batch.num_columns)
                for field in batch.schema:
                    evidence[field.name] = _evidence(field, source, texts, most, is_plain=field.name not in given)
            limits.check_cells(rows + batch.num_rows, batch.num_columns, "The table", is_text=source.is_text)
            compared = []
            for name, values in zip(batch.schema.names, batch.columns, strict=True):
                words += _check_cells(name, values, rows, limits)
                if words > limits.max_text_cells:
                    raise limits.refuse("max_text_cells", f"The lists have more than {words:,} words")
                compared.append(evidence[name].see(values, rows + 1))
            duplicates.see(compared)
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if rows > limits.max_rows:
                raise limits.refuse("max_rows", "There are too many rows")
            if size > limits.max_expanded_bytes:
                raise limits.refuse("max_expanded_bytes", f"The first {rows:,} rows are {size:,} bytes")
            writer.write(batch)
    if not rows:
        raise DataError("There are no rows. Upload a file with at least one row below its header.")
    return _FirstPass(rows, evidence, duplicates)


def _evidence(field: pa.Field, source: Source, texts: Texts, most: int, *, is_plain: bool) -> Evidence:
    plain = None
    if is_plain and source.untyped:
        feature = next(part for part in FEATURES if part.reads_numerals).model_validate({})
        plain = Summary(Column(name=field.name, kind=feature.kind), feature, texts, most=most)
    layout = source.layouts.get(field.name)
    return Evidence(field.type, layout, texts, untyped=source.untyped, most=most, plain=plain)


def _resized(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of about BATCH_BYTES bytes, with at most BATCH_ROWS rows and BATCH_CELLS cells each."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        most = max(1, min(BATCH_ROWS, BATCH_CELLS // max(1, batch.num_columns)))
        pieces = max(1, -(-batch.num_rows // most), -(-batch.nbytes // BATCH_BYTES))
        step = max(1, -(-batch.num_rows // pieces))
        for start in range(0, batch.num_rows, step):
            piece = batch.slice(start, step)
            if waiting and (rows + piece.num_rows > most or size + piece.nbytes > BATCH_BYTES):
                yield _joined(waiting)
                waiting, rows, size = [], 0, 0
            waiting.append(piece)
            rows, size = rows + piece.num_rows, size + piece.nbytes
    if waiting:
        yield _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def most_classes(limits: Limits, columns: int) -> int:
    return max(100, min(limits.max_classes, _CLASS_CELLS // columns))


def _check_columns(batch: pa.RecordBatch, limits: Limits) -> None:
    if batch.num_columns > limits.max_columns:
        raise limits.refuse("max_columns", f"There are {batch.num_columns:,} columns")


def _check_cells(name: str, values: pa.Array, start: int, limits: Limits) -> int:
    """The number of words if these are lists of words. Raises OverLimit for a value that is too long."""
    sizes, words = [], 0
    if pa.types.is_string(values.type):
        sizes = [pc.binary_length(values)]
    elif pa.types.is_list(values.type):
        inner = values.flatten()
        sizes, words = [pc.list_value_length(values), pc.binary_length(inner)], len(inner)
    for lengths in sizes:
        if (pc.max(lengths).as_py() or 0) > limits.max_cell_bytes:
            what = f"Column {name!r} has a value that is too long in rows {start + 1} to {start + len(values)}"
            raise limits.refuse("max_cell_bytes", what)
    return words


def _describe(source: Source, first: _FirstPass, path: Path, limits: Limits, given: Mapping[str, Feature]) -> Intake:
    """Recognize each column, and describe those that the first pass has not: numbers in plain cells are done."""
    evidence, most = first.evidence, most_classes(limits, len(first.evidence))
    if unknown := [name for name in given if name not in evidence]:
        raise DataError(f"features names a column {unknown[0]!r}, which the file does not have. Correct the name.")
    with pq.ParquetFile(path) as file:
        decimal = source.decimal or _decimal_of(source, evidence)
        duplicates = _look_again(file, source, first, limits, has_commas=decimal == ",") or first.duplicates
        columns = [
            described(
                name,
                seen,
                source.layouts.get(name),
                given.get(name),
                declared=name in (source.target, source.part, *source.categories),
                named=name.lower() in _TARGETS,
                decimal=decimal,
            )
            for name, seen in evidence.items()
        ]
        texts = Texts(limits)
        known = {
            column.name: settled(column, evidence[column.name]) or _counted(column, evidence[column.name], texts, most)
            for column in columns
        }
        unknown_yet = [column for column in columns if known[column.name] is None]
        summaries = {
            column.name: known[column.name] or Summary(column, feature_of(column), texts, most=most)
            for column in columns
        }
        gaps = Gaps([column.name for column in columns if _divides(column, evidence[column.name])])
        # Missing values of all columns are counted by part, but few tables have a column that names parts.
        wanted = columns if gaps.has_parts else unknown_yet
        described_anew = {column.name for column in unknown_yet}
        for start, batch in batches(file, [column.name for column in wanted]):
            read = [read_cells(feature_of(column), batch.column(column.name), column, start) for column in wanted]
            for column, values in zip(wanted, read, strict=True):
                if column.name in described_anew:
                    summaries[column.name].see(values, start)
            if gaps.has_parts:
                gaps.see(pa.record_batch(read, names=[column.name for column in wanted]))
    found = [summary.column() for summary in summaries.values()]
    for column in found:
        column.missing_by_part = gaps.of(column.name)
    target = source.target or _suggest([column for column in found if column.name != source.part])
    told = bounded(Schema(columns=found, target=target, part=source.part), limits)
    inspection = inspect(path, told, first.rows)
    for column in told.columns:
        column.left_out = inspection.left_out.get(column.name)
    warnings = warnings_of(source, told, first.rows, list(summaries.values()), evidence, duplicates, inspection)
    return Intake(told, first.rows, warnings, dialect=source.dialect)


def _look_again(
    file: pq.ParquetFile, source: Source, first: _FirstPass, limits: Limits, *, has_commas: bool
) -> Duplicates | None:
    """Look at all rows of those columns as strings that were taken for numbers at first.

    Where other columns have decimal commas, a point groups digits. Equal rows are found anew: some cells were compared
    as numbers. None if there are no such columns.
    """
    evidence = first.evidence
    again = [name for name, seen in evidence.items() if seen.is_partial or (has_commas and seen.has_points)]
    if not again:
        return None
    texts, duplicates, most = Texts(limits), Duplicates(len(evidence)), most_classes(limits, len(evidence))
    for name in again:
        evidence[name] = _evidence(file.schema_arrow.field(name), source, texts, most, is_plain=False)
    for start, batch in batches(file, [*evidence]):
        duplicates.see(batch.columns)
        for name in again:
            evidence[name].see(batch.column(name), start)
    return duplicates


def settled(column: Column, seen: Evidence) -> Summary | None:
    """The description that the first pass has made, if the column is read as it was expected."""
    feature = feature_of(column)
    if seen.plain is None or not feature.reads_numerals or feature.settings():
        return None
    seen.plain.settle(column)
    return seen.plain


def _counted(column: Column, seen: Evidence, texts: Texts, most: int) -> Summary | None:
    """The description of a column of classes, from its strings that the first pass has counted."""
    feature = feature_of(column)
    if feature.names != "classes" or not seen.counts:
        return None
    summary = Summary(column, feature, texts, most=most)
    try:
        values = feature.read(pa.array(seen.counts, pa.string()), column)
    except UNREADABLE:
        # A look at the rows tells which one it is.
        return None
    return summary if summary.see_counted(values, [*seen.counts.values()], seen.missing) else None


def _decimal_of(source: Source, evidence: Mapping[str, Evidence]) -> Literal[".", ","] | None:
    """The decimal mark of a file whose numbers show one in some columns, and the other in none."""
    shown: set[Literal[".", ","]] = set()
    for seen in evidence.values():
        if len(marks := seen.decimal_marks) == 1:
            shown |= marks
    # Where semicolons separate, commas are decimal marks, and points group digits.
    if source.dialect.get("delimiter") != ";" and any(seen.has_points for seen in evidence.values()):
        shown.add(".")
    return shown.pop() if len(shown) == 1 else None


def _divides(column: Column, seen: Evidence) -> bool:
    return feature_of(column).names == "classes" and seen.names_parts


def batches(file: pq.ParquetFile, names: list[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The batches that were written, with these columns, each with the number of its first row."""
    start = 1
    with contextlib.closing(ahead(_read(file, names))) as read:
        for batch in read:
            yield start, batch
            start += batch.num_rows


def _read(file: pq.ParquetFile, names: list[str]) -> Iterator[pa.RecordBatch]:
    for group in range(file.num_row_groups if names else 0):
        (batch,) = file.read_row_group(group, columns=names, use_threads=False).combine_chunks().to_batches()
        yield batch


def described(
    name: str,
    seen: Evidence,
    layout: Layout | None,
    given: Feature | None,
    *,
    declared: bool,
    named: bool,
    decimal: Literal[".", ","] | None = None,
) -> Column:
    """The column with the fields that a feature needs to read its cells. `given` is the feature that a user chose."""
    facts = seen.observation(name, declared=declared, named=named, decimal=decimal)
    if given is not None and not given.can_read(facts.type, facts.layout):
        is_list = pa.types.is_list(facts.type)
        found = "images or arrays" if facts.layout is not None else "lists" if is_list else "single values"
        raise DataError(f"Column {name!r} holds {found} and cannot be read as {given.kind}. Choose another feature.")
    feature = given.settled(facts) if given else recognize(facts)
    return Column(
        name=name,
        kind=feature.kind,
        settings=feature.settings(),
        guess=None if given else feature.guess(facts),
        integer=feature.whole(facts),
        shape=None if layout is None else list(feature.shape(layout)),
        stored=None if layout is None else _stored(layout, feature),
    )


def read_cells(feature: Feature, values: pa.Array, column: Column, start: int) -> pa.Array:
    """The cells as `feature` reads them. The first row has the number `start`. Raises DataError for a cell it cannot.

    Only a feature that a user chose can meet one: the others have looked at every cell.
    """
    try:
        return feature.read(values, column)
    except UNREADABLE as error:
        row = first_unreadable(feature, values, column)
        found = str(values[row].as_py())
        raise DataError(
            f"Row {start + row}, column {column.name!r}: {found[:40]!r} cannot be read as a {column.kind}. "
            "Correct it, leave it out, or choose another feature for the column."
        ) from error


def _stored(layout: Layout, feature: Feature) -> Stored | None:
    """How cells are stored, if they are not read as they are."""
    if (feature.kind, feature.shape(layout), dict(layout.pixels)) == (layout.kind, layout.shape, {}):
        return None
    return Stored(kind=layout.kind, shape=list(layout.shape), pixels=dict(layout.pixels))


def _suggest(columns: list[Column]) -> str | None:
    """The suggested target: a column with the name of a target, else the last column that can be one."""
    usable = [column for column in columns if feature_of(column).is_target]
    called = {column.name.lower(): column.name for column in usable}
    lists = [column for column in columns if feature_of(column).names == "words"]
    if any(column.name.lower() != "tags" for column in lists):
        called |= {column.name.lower(): column.name for column in lists}
    for name in _TARGETS:
        if name in called:
            return called[name]
    last = [column for column in usable if column.name.lower() not in _NOT_TARGETS and not divides_rows(column)]
    if not last:
        return None
    likely = [column for column in last if column.distinct != 1 and not _is_identifier(column)]
    return (likely or last)[-1].name


def _is_identifier(column: Column) -> bool:
    has_fractions = column.min is not None and not column.integer
    return is_named_id(column.name) and not has_fractions and (column.distinct is None or column.distinct > _MANY)
