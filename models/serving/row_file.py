"""Predict the rows of a file, batch by batch, and write the answers to another."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from athanor.contract import Generation, Hints, Remarks
from models.data.formats import open_source, text_formats
from models.data.formats.limits import Limits
from models.data.table import Layout, Source
from models.errors import DataError, SpecError
from models.serving.answer_file import FORMS
from models.serving.cells import Reader, place
from models.serving.prediction import MAX_TOKENS, Predictor

STEP = 1000
"""Rows that are predicted at once, as many as a request in JSON may have."""
PIECE = 1 << 20


@dataclass(frozen=True)
class _Opened:
    source: Source
    names: list[str]
    absent: list[str]
    """Inputs that the file does not have."""
    batches: Iterator[pa.RecordBatch]


def predict(
    predictor: Predictor, path: Path, format: str, dialect: dict[str, Any], limits: Limits, answers: Path
) -> tuple[int, Remarks]:
    """Write the rows of `path` with their predictions to `answers`. Returns their number and the remarks.

    `dialect` says how the dataset of the job was read. Raises DataError, and SpecError with a pointer to the cell.
    """
    opened = _open(predictor.reader, path, format, dialect, limits)
    collector, done = predictor.collector(opened.absent), 0
    step = max(1, MAX_TOKENS // Generation().max_new_tokens) if predictor.self_supervised else STEP
    writer = FORMS[format](answers, opened.source, opened.names)
    for batch in opened.batches:
        for start in range(0, batch.num_rows, step):
            piece = batch.slice(start, step)
            try:
                table = predictor.reader.table(_cells(piece, opened, predictor.reader), place)
                told = predictor.predict(table, collector, place, start=done)
            except SpecError as error:
                raise _numbered(error, done) from error
            writer.add(piece, told)
            done += piece.num_rows
        _check_whole(opened.source)
    _check_whole(opened.source)
    writer.close()
    remarks = collector.remarks()
    return done, remarks.model_copy(update={"warnings": [*opened.source.warnings, *remarks.warnings]})


def _open(reader: Reader, path: Path, format: str, dialect: dict[str, Any], limits: Limits) -> _Opened:
    """The file as the dataset was read, or, if the columns are not found so, as it is recognized by itself."""
    hints = _hints(path, format, dialect)
    try:
        return _opened(reader, path, format, limits, hints)
    except (DataError, SpecError):
        if hints == Hints():
            raise
        try:
            return _opened(reader, path, format, limits, Hints())
        except (DataError, SpecError):
            pass
        raise


def _opened(reader: Reader, path: Path, format: str, limits: Limits, hints: Hints) -> _Opened:
    source = open_source(format, path, limits, hints)
    first = next(source.batches, None)
    if first is None or not first.num_rows:
        _check_whole(source)
        raise DataError("There are no rows. Send a file with at least one row.")
    names = first.schema.names
    absent = reader.check(names, lambda name: place(0, name))
    return _Opened(source, names, absent, chain([first], source.batches))


def _hints(path: Path, format: str, dialect: dict[str, Any]) -> Hints:
    """What was found out of the dataset and is for the format. Its encoding is not for a file that is UTF-8."""
    follows = text_formats.FORMATS[format].hints if format in text_formats.FORMATS else frozenset()
    known: dict[str, Any] = {name: dialect[name] for name in sorted(follows) if name in dialect}
    known["features"] = _pictures(dialect)
    if "encoding" in known and _is_utf8(path):
        del known["encoding"]
    try:
        return Hints.model_validate(known)
    except ValidationError:
        return Hints()


def _pictures(dialect: dict[str, Any]) -> dict[str, Any]:
    """The size that the dataset's pictures have, so that those of the file get it, too."""
    return {
        name: {"kind": "image", "size": told["size"][:2], "resize": told["resize"]}
        for name, told in dialect.items()
        if isinstance(told, dict) and {"size", "resize"} <= told.keys()
    }


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                decoder.decode(piece)
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _check_whole(source: Source) -> None:
    """Raises DataError if the reader left out a row: the answers would not stand beside their rows."""
    if source.skipped:
        odd = "more or fewer values than the header has names" if source.is_text else "a missing or damaged picture"
        raise DataError(f"Row {source.skipped[0]:,} has {odd}. Correct it, or leave it out.")


def _cells(rows: pa.RecordBatch, opened: _Opened, reader: Reader) -> dict[str, list[Any]]:
    """The cells as JSON values, as a request has them."""
    found = {
        column.name: _values(rows.column(column.name), opened.source.layouts.get(column.name))
        for column in reader.columns
        if column.name in opened.names
    }
    return found | {name: [None] * rows.num_rows for name in opened.absent}


def _values(values: pa.Array, layout: Layout | None) -> list[Any]:
    cells: list[Any] = values.to_pylist()
    if layout is not None:
        return [None if each is None else layout.unpack(pa.array([each], values.type))[0].tolist() for each in cells]
    if pa.types.is_floating(values.type):
        # A missing value, as pandas writes it.
        return [None if each is not None and each != each else each for each in cells]
    return cells


def _numbered(error: SpecError, done: int) -> SpecError:
    """The error of a row in a batch that has `done` rows before it."""
    found = re.match(r"/rows/(\d+)", error.pointer)
    if found is None:
        return error
    row = done + int(found[1])
    pointer = f"/rows/{row}" + error.pointer[found.end() :]
    return SpecError(pointer, f"row {row + 1:,}: {error.message}", code=error.code, suggestion=error.suggestion)
