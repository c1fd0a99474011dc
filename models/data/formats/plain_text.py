"""Plain text: each line is a row of a column called ``text``."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from athanor.contract import Hints, Warned
from models.data.counted import counted
from models.data.formats import separators
from models.data.formats.limits import Limits
from models.data.formats.lines import batched, read_lines
from models.data.formats.sample import look
from models.data.formats.text_file import TextFile, open_text
from models.data.table import Source


def read(path: Path, limits: Limits, hints: Hints = Hints()) -> Source:  # noqa: B008 -- frozen
    """Read all lines. Empty lines are rows too, so that no part of the text is lost. Raises DataError for no text.

    Raises OverLimit for too many lines.
    """
    text = open_text(path, limits, hints.encoding, may_be_page=True)
    limits.check_cells(text.lines, 1, "The file", is_text=True)
    source = Source(_batches(text, limits), is_text=True)
    source.dialect, source.warnings = dict(text.dialect), list(text.warnings)
    table = separators.in_texts(look(text.path, text.start, limits).lines)
    if table is not None:
        source.warnings.append(_table(table))
    return source


def _table(found: separators.Separator) -> Warned:
    (one, many), suffix = (("tab", "tabs"), ".tsv") if found.mark == "\t" else ((repr(found.mark),) * 2, ".csv")
    return Warned(
        code="table_in_text",
        message=f"{counted(found.rows, 'holds', 'hold', of=f'the first {found.of:,} lines')} "
        f"{counted(found.count, one, many)}, and each line is read as a text",
        suggestion=f"if the file is a table, give it a name that ends in {suffix}, and upload it again",
    )


def _batches(text: TextFile, limits: Limits) -> Iterator[pa.RecordBatch]:
    lines = read_lines(text.path, text.start, limits)
    for rows in batched((len(line), line.removesuffix(b"\n").removesuffix(b"\r")) for line in lines):
        yield pa.record_batch({"text": pa.array(rows, pa.string())})
