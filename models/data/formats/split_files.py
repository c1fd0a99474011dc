"""A zip of data files: a single file, or files named train, val and test, which define the split."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal
from zipfile import ZipInfo

import pyarrow as pa
from pydantic import JsonValue

from athanor.contract import Hints, Warned
from models.data.counted import counted
from models.data.formats import parquet, text_formats
from models.data.formats.archive import PART, PARTS, Archive
from models.data.formats.class_folders import ORDER
from models.data.formats.limits import Limits
from models.data.formats.picture_columns import PictureColumns
from models.data.table import Layout, Source
from models.errors import DataError

_PARQUET = ".parquet"
SUFFIXES = frozenset({*text_formats.SUFFIXES, _PARQUET})
_ABOUT = re.compile(r"(^|/)(readme|licen[cs]e|notice|changelog|citation)[^/]*$")
"""Files that tell of the data."""
_COUNTED = re.compile(r"of|part|shard|[a-z]*[0-9]+|[0-9a-f]{8,}")
HINTS = ("encoding", "delimiter", "header", "decimal")


@dataclass
class _File:
    """One unpacked file. Its columns are known from its first batch; it is opened again to read its rows."""

    name: str
    part: str | None
    path: Path
    schema: pa.Schema
    layouts: dict[str, Layout]
    untyped: bool
    is_text: bool
    most_rows: int
    dialect: dict[str, JsonValue]
    decimal: Literal[".", ","] | None
    target: str | None
    categories: frozenset[str]


def read(path: Path, limits: Limits, hints: Hints = Hints()) -> Source:  # noqa: B008 -- frozen
    """The rows of train, then val, then test. A column ``part`` names the part; a single file has no such column.

    A part may have several files, read in the order of their names. The files are unpacked into a temporary folder.
    Raises DataError if their columns differ.
    """
    archive = Archive(path, limits)
    members, left_out = _members(archive)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="unpacked-"))
        places = [Path(folder) / f"{number}{_suffix(member)}" for number, member in enumerate(members)]
        pictures = PictureColumns(limits, hints)
        for member, unpacked in zip(members, places, strict=True):
            with archive.open(member) as stream, unpacked.open("wb") as target:
                shutil.copyfileobj(stream, target)
            if unpacked.suffix == _PARQUET:
                _show(member, unpacked, pictures)
        files = [_look(member, unpacked, hints, pictures) for member, unpacked in zip(members, places, strict=True)]
        schema = _schema(files)
        rows = sum(file.most_rows for file in files)
        limits.check_cells(rows, len(schema), "The table of all files", is_text=files[0].is_text)
        first = files[0]
        if first.part and PART in schema.names:
            raise DataError(f"The files have a column called {PART!r}, but the reader adds that name. Rename it.")
        kept = stack.pop_all()
    source = Source(iter(()), first.layouts, untyped=first.untyped, is_text=first.is_text)
    source.part = PART if first.part else None
    source.target, source.dialect, source.categories = first.target, first.dialect, first.categories
    source.warnings += pictures.warnings() + left_out + _joined(files)
    decimals = {file.decimal for file in files}
    source.decimal = first.decimal if len(decimals) == 1 else None
    source.batches = _batches(files, schema, source, hints, pictures, kept)
    return source


def part_of(name: str) -> str | None:
    """The part in the name of a file or of a folder above it: train for data/train-00000.parquet."""
    path = PurePosixPath(name)
    for piece in (path.stem, *reversed(path.parts[:-1])):
        words = re.split(r"[^a-z0-9]+", piece.lower())
        part = next((PARTS[word] for word in words if word in PARTS), None)
        if part:
            return part
    return None


def _suffix(member: ZipInfo) -> str:
    return PurePosixPath(member.filename).suffix.lower()


def _members(archive: Archive) -> tuple[list[ZipInfo], list[Warned]]:
    """The files that are read, in their order, and a warning about other files of data."""
    found = [member for member in archive.members if _suffix(member) in SUFFIXES]
    members = found
    if len({_suffix(member) for member in members}) > 1:
        members = [member for member in members if _suffix(member) != ".txt"]
    parts = {member.filename: part_of(member.filename) for member in members}
    if len(members) > 1 and any(parts.values()):
        members = [member for member in members if parts[member.filename]]
    elif len(members) > 1:
        names = ", ".join(member.filename for member in members[:5])
        raise DataError(f"The zip contains {names}. Name the files train, val and test, or upload them one by one.")
    if len({_suffix(member) for member in members}) != 1:
        raise DataError("The files in the zip have different formats. Use only CSV, TSV, JSON lines, Parquet or text.")
    chosen = sorted(members, key=lambda member: (ORDER[parts[member.filename]], member.filename))
    others = [
        member.filename for member in found if member not in members and not _ABOUT.search(member.filename.lower())
    ]
    if not others:
        return chosen, []
    told = counted(len(others), "file was", "files were")
    message = f"{told} left out, because others give the parts or the table: {', '.join(others[:5])}"
    cure = "name them after a part (train, val, test), or upload them on their own"
    return chosen, [Warned(code="ignored_files", message=message, suggestion=cure)]


def _joined(files: list[_File]) -> list[Warned]:
    """A warning if the names of the files of a part may be labels, and not numbers of its pieces."""
    named: dict[str | None, dict[str, str]] = {}
    for file in files:
        named.setdefault(file.part, {}).setdefault(_words(file.name), file.name)
    apart = [names for names in named.values() if len(names) > 1]
    if not apart:
        return []
    count = sum(file.part is not None and len(named[file.part]) > 1 for file in files)
    told = " and ".join(list(apart[0].values())[:3])
    message = f"the rows of {count:,} files are joined, such as {told}; no column has the names of the files"
    cure = "if the names are labels, add a column with them to the files"
    return [Warned(code="joined_files", message=message, suggestion=cure)]


def _words(name: str) -> str:
    """The words of a file's name that are neither a part nor a number."""
    words = re.split(r"[^\w]+|_", PurePosixPath(name).with_suffix("").as_posix().casefold())
    return " ".join(word for word in words if word not in PARTS and not _COUNTED.fullmatch(word))


def _show(member: ZipInfo, unpacked: Path, pictures: PictureColumns) -> None:
    """Let `pictures` see those of all files, because they get one size."""
    try:
        parquet.look(unpacked, pictures.limits, pictures)
    except DataError as error:
        raise type(error)(f"{member.filename}: {error}") from error


def _look(member: ZipInfo, unpacked: Path, hints: Hints, pictures: PictureColumns) -> _File:
    """The columns of an unpacked file. It is closed again: there may be thousands, and each first batch is large."""
    try:
        source = _open(unpacked, hints, pictures)
        first = next(source.batches, None)
    except DataError as error:
        raise type(error)(f"{member.filename}: {error}") from error
    if first is None:
        raise DataError(f"{member.filename} contains no rows. Leave it out or add rows.")
    part = part_of(member.filename)
    return _File(
        name=member.filename,
        part=part,
        path=unpacked,
        schema=first.schema,
        layouts=source.layouts,
        untyped=source.untyped,
        is_text=source.is_text,
        most_rows=source.most_rows,
        dialect=source.dialect,
        decimal=source.decimal,
        target=source.target,
        categories=source.categories,
    )


def _open(unpacked: Path, hints: Hints, pictures: PictureColumns) -> Source:
    """Raises DataError for a hint that the format cannot follow."""
    name = text_formats.SUFFIXES.get(unpacked.suffix)
    follows = text_formats.FORMATS[name].hints if name else frozenset()
    if useless := [hint for hint in HINTS if getattr(hints, hint) is not None and hint not in follows]:
        raise DataError(f"{useless[0]} is given, but a {unpacked.suffix} file does not follow it. Leave it out.")
    if name is None:
        return parquet.read(unpacked, pictures.limits, hints, pictures)
    return text_formats.FORMATS[name].read(unpacked, pictures.limits, hints)


def _schema(files: list[_File]) -> pa.Schema:
    """The columns of the first file. A column that is integer in one file and floating in another becomes floating."""
    names = files[0].schema.names
    kinds = dict(zip(names, files[0].schema.types, strict=True))
    for file in files[1:]:
        others = dict(zip(file.schema.names, file.schema.types, strict=True))
        if others.keys() != kinds.keys():
            apart = ", ".join(sorted(others.keys() ^ kinds.keys())[:5])
            raise DataError(f"{files[0].name} and {file.name} differ in the columns {apart}. Give both the same.")
        for name, kind in kinds.items():
            other = others[name]
            if other == kind:
                continue
            if not all(pa.types.is_integer(each) or pa.types.is_floating(each) for each in (kind, other)):
                raise DataError(
                    f"Column {name!r} is {kind} in {files[0].name} but {other} in {file.name}. Give both the same type."
                )
            kinds[name] = pa.float64()
    return pa.schema(list(kinds.items()))


def _batches(
    files: list[_File], schema: pa.Schema, source: Source, hints: Hints, pictures: PictureColumns, folder: ExitStack
) -> Iterator[pa.RecordBatch]:
    with folder:
        offset = 0
        for file in files:
            rows = 0
            opened = _open(file.path, hints, pictures)
            try:
                for batch in opened.batches:
                    columns = {field.name: batch.column(field.name).cast(field.type) for field in schema}
                    if file.part:
                        columns[PART] = pa.array([file.part] * batch.num_rows, pa.string())
                    rows += batch.num_rows
                    yield pa.record_batch(columns)
            except DataError as error:
                raise type(error)(f"{file.name}: {error}") from error
            source.skipped.extend(offset + row for row in opened.skipped)
            for warned in opened.warnings:
                message, shifted = f"{file.name}: {warned.message}", [offset + row for row in warned.rows]
                source.warnings.append(warned.model_copy(update={"message": message, "rows": shifted}))
            offset += rows + len(opened.skipped)
