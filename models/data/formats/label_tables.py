"""Tables beside pictures that name them, such as Kaggle's train.csv or labels.csv."""

import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zipfile import ZipInfo

import numpy as np
import pyarrow as pa

from athanor.contract import Encoding, Hints, Warned
from models.data.columns import shown
from models.data.counted import counted
from models.data.formats import delimited, json_lines, label_objects, workbook
from models.data.formats.archive import Archive
from models.data.formats.label_rows import LabelTable, NamingTable, joined
from models.data.formats.limits import Limits
from models.data.formats.picture_names import PictureNames
from models.data.table import Source
from models.errors import DataError

READERS: dict[str, Callable[[Path, Limits, Hints], Source]] = {
    ".csv": delimited.read,
    ".tsv": delimited.read_tsv,
    ".xlsx": workbook.read,
    ".json": json_lines.read,
    ".jsonl": json_lines.read,
}
_TABLES = frozenset({".csv", ".tsv"})
"""Of files with these suffixes, nothing but a table is expected. Others often describe pictures in another way."""
_MOST_TABLES = 20
_LOOKED_AT = 1000
"""Rows of a table that are compared to find the column with the names of pictures."""
_NO_LABELS = "submission"
"""Kaggle's example of an answer has this in its name; its labels are made up."""
_CALLED = re.compile(r"label|class|target|categor|annotation|(^|[_ .])(y|tags?)$")
"""Names of columns and files that hold labels."""
_OF_HEADERS = ("no_header", "header_like_data")
"""Doubts about the first line, which names of pictures settle."""
_CURE = "name each image in one column by its file, with its folder where names repeat, and say its label in another"


@dataclass(frozen=True)
class Found:
    """The table of labels, if there is one, and what is said of the tables beside the pictures."""

    table: LabelTable | None
    warnings: list[Warned]


@dataclass(frozen=True)
class _Naming:
    """The column of a table that names most pictures: `named` of its first `looked` cells do."""

    column: str
    named: int
    looked: int
    whole: int
    sure: int

    @property
    def is_enough(self) -> bool:
        return 2 * self.named > self.looked

    @property
    def order(self) -> tuple[bool, bool, bool, int]:
        """Whole names of files come before numbers, which may count something else."""
        return self.is_enough, 2 * self.whole > self.looked, 2 * self.sure > self.looked, self.named


def find(
    archive: Archive,
    pictures: Sequence[ZipInfo],
    folders: Sequence[tuple[str | None, str | None]],
    encoding: Encoding | None = None,
) -> Found:
    """The tables of the zip that name pictures in a column, with or without folder and suffix, and say more of them.

    `folders` are the part and the class that the folders of each picture say. Where these name classes, a table counts
    only if it holds other labels. Raises DataError for a CSV that cannot be read where no folder names a class.
    """
    files = [info for info in archive.members if _suffix(info.filename) in READERS]
    if not files:
        return Found(None, [])
    # A zip may have a file of JSON for each picture. The table beside them is looked at all the same.
    files.sort(key=lambda info: _suffix(info.filename) not in _TABLES)
    names, warnings = PictureNames([info.filename for info in pictures]), list[Warned]()
    left_out: dict[tuple[str, str], list[str]] = defaultdict(list)
    has_classes = len({label for _, label in folders if label is not None}) > 1
    tables: list[tuple[NamingTable, _Naming]] = []
    for number, info in enumerate(files):
        if _NO_LABELS in info.filename.lower():
            left_out["its name says that it is an example of an answer", "rename it"].append(info.filename)
            continue
        if number >= _MOST_TABLES:
            left_out[f"the zip has more than {_MOST_TABLES} tables", _CURE].append(info.filename)
            continue
        try:
            table, said, naming = _read(archive, info, names, encoding)
        except DataError as error:
            if not has_classes and _suffix(info.filename) in _TABLES:
                raise type(error)(f"{info.filename}: {error}") from error
            left_out[str(error).rstrip("."), _CURE].append(info.filename)
            continue
        if naming is None or not naming.is_enough or table.cells.num_columns < 2:
            left_out[_why(naming, pictures), _CURE].append(info.filename)
            continue
        warnings += said
        tables.append((table, naming))
    if not tables:
        return Found(None, [*warnings, *_said(left_out)])
    # Tables of parts have the same columns. Of others, the first that names most pictures counts, a CSV before others.
    tables.sort(key=lambda each: (_suffix(each[0].name) not in _TABLES, -each[0].cells.num_rows))
    first, naming = tables[0]
    heads, columns = [], set(first.cells.column_names)
    for table, _ in tables:
        if apart := columns ^ set(table.cells.column_names):
            told = ", ".join(map(shown, sorted(apart)[:5]))
            reason = f"it differs from {first.name} in the columns {told}"
            left_out[reason, "give both the same columns"].append(table.name)
        else:
            heads.append(table)
    found = joined(heads, naming.column, names, [part for part, _ in folders])
    if has_classes and (why := _why_folders(found, [label for _, label in folders])):
        left_out[why, "call its column of labels 'label' if it is to count, or leave it out"] += found.files
        return Found(None, [*warnings, *_said(left_out)])
    return Found(found, [*warnings, *_said(left_out), *found.warnings])


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _said(left_out: Mapping[tuple[str, str], Sequence[str]]) -> list[Warned]:
    """A warning for each reason, with the tables that were left out for it."""
    return [
        Warned(
            code="ignored_tables",
            message=f"the table {names[0][:200]} was left out: {reason}"
            if len(names) == 1
            else f"{len(names):,} tables were left out, such as {names[0][:200]}: {reason}",
            suggestion=cure,
        )
        for (reason, cure), names in left_out.items()
    ]


def _why(naming: _Naming | None, pictures: Sequence[ZipInfo]) -> str:
    if naming is None:
        return "it has no rows"
    if not naming.is_enough:
        example = PurePosixPath(pictures[0].filename).name[:100]
        of = f"{naming.looked:,} cells of its column {shown(naming.column)}"
        told = counted(naming.named, "names", "name", of=of)
        return f"no column of it names most images, such as {example}; {told} one"
    of_column = f"of its only column {shown(naming.column)}"
    cells = counted(naming.named, f"cell {of_column} names an image", f"cells {of_column} name images")
    return f"{cells}, and it says no more of them"


def _why_folders(found: LabelTable, labels: Sequence[str | None]) -> str | None:
    """Why the classes of folders count, and not a table; None if the table does."""
    known = [row for row, label in enumerate(labels) if label is not None]
    named = [row for row in known if found.found[row]]
    if 2 * len(named) <= len(known):
        return f"the classes are in the folders, and it names {len(named):,} of {len(known):,} images in them"
    called = [name for name in found.names if _CALLED.search(name.lower())]
    for name in found.names:
        cells = found.columns[name].to_pylist()
        given = [row for row in named if cells[row] is not None]
        apart = [row for row in given if cells[row].strip().casefold() != str(labels[row]).strip().casefold()]
        if given and 2 * len(apart) < len(given):
            if not apart:
                return f"its column {shown(name)} says the same as the folders"
            example = f"{cells[apart[0]][:40]!r} is in a folder {str(labels[apart[0]])[:40]!r}"
            return (
                f"the classes are in the folders, and its column {shown(name)} differs from them in {len(apart):,} of "
                f"{len(given):,} images ({example})"
            )
    is_called = called or any(_CALLED.search(PurePosixPath(file).stem.lower()) for file in found.files)
    if is_called or None in labels:
        return None
    return "the classes are in the folders, and neither it nor a column of it is called label"


_OF_FILES = re.compile(r"[0-9]|\.\w+$")
"""What names of files have, and names of columns have not."""


def _read(
    archive: Archive, info: ZipInfo, pictures: PictureNames, encoding: Encoding | None
) -> tuple[NamingTable, list[Warned], _Naming | None]:
    """A table, what is said of it, and its column of names, which also tells whether the first line is a header."""
    with tempfile.TemporaryDirectory(prefix="unpacked-") as folder:
        path = Path(folder) / f"table{_suffix(info.filename)}"
        with archive.open(info) as stream, path.open("wb") as target:
            shutil.copyfileobj(stream, target)
        named = label_objects.read(path, archive.limits, encoding, pictures) if path.suffix == ".json" else None
        source, cells = _opened(path, archive.limits, Hints(encoding=encoding), named)
        if path.suffix == ".xlsx":
            # It is packed once more.
            archive.expand(cells.nbytes)
        naming = _naming(cells, pictures)
        if naming is not None and naming.is_enough and (has_header := source.dialect.get("header")) is not None:
            first = naming.column if has_header else cells[naming.column][0].as_py() or ""
            is_picture = bool(first and pictures.fits([first])[first].pictures)
            # A name of a picture that is not there is no header.
            if is_picture if has_header else not is_picture and not _OF_FILES.search(first):
                source, cells = _opened(path, archive.limits, Hints(encoding=encoding, header=not has_header))
                naming = _naming(cells, pictures)
    rows = np.setdiff1d(np.arange(1, cells.num_rows + len(source.skipped) + 1), source.skipped)
    # The rows of warnings are those of the dataset.
    said = [
        warned.model_copy(update={"message": f"{info.filename}: {warned.message}", "rows": []})
        for warned in source.warnings
        if warned.code not in _OF_HEADERS or naming is None
    ]
    return NamingTable(info.filename, cells, rows), said, naming


def _opened(path: Path, limits: Limits, hints: Hints, source: Source | None = None) -> tuple[Source, pa.Table]:
    source = source or READERS[path.suffix](path, limits, hints)
    batches = list(source.batches)
    table = pa.Table.from_batches(batches) if batches else pa.table({})
    odd = [each for each in table.column_names if each in source.layouts or pa.types.is_nested(table[each].type)]
    if odd:
        message = f"{counted(len(odd), 'column has lists and is', 'columns have lists and are')} left out: "
        message += ", ".join(map(shown, odd[:5]))
        source.warnings.append(
            Warned(code="ignored_columns", message=message, suggestion="give one value for each image")
        )
    if odd and len(odd) == table.num_columns:
        raise DataError("All of its columns have lists")
    single = table.drop_columns(odd)
    return source, single.cast(pa.schema([(name, pa.string()) for name in single.column_names]))


def _naming(table: pa.Table, pictures: PictureNames) -> _Naming | None:
    """The column whose first cells name most pictures."""
    found = []
    for place, name in enumerate(table.column_names):
        cells = [cell for cell in table[name].slice(0, _LOOKED_AT).to_pylist() if cell is not None]
        fits = pictures.fits(cells)
        named = [fits[cell] for cell in cells if fits[cell].pictures]
        whole, sure = sum(fit.whole for fit in named), sum(fit.sure for fit in named)
        # Numbers that repeat, or come late in a table, are ages rather than names.
        are_numbers = all(cell.strip().replace(".", "", 1).isdigit() for cell in cells)
        if not (are_numbers and not sure and (place or len(fits) < len(cells))):
            found.append(_Naming(name, len(named), len(cells), whole, sure))
    return max(found, key=lambda each: each.order, default=None) if table.num_rows else None
