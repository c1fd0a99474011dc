"""Blocks of whole rows of a table of text, which Arrow reads."""

import re
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from models.data.formats.dialect import Dialect
from models.data.formats.text_file import TextFile, count

SIZE = 4 << 20
_QUOTE = ord('"')


@dataclass(frozen=True)
class Block:
    """The rows of a block, and the number and the fields of each that is left out. `count` counts both."""

    rows: pa.RecordBatch
    count: int
    ragged: list[tuple[int, int]]


def take(stream: IO[bytes], dialect: Dialect) -> bytes | None:
    """The next whole rows of the stream, which stands at the start of a row. None if Arrow must not read them."""
    if len(dialect.delimiter.encode()) > 1:
        return None
    block = stream.read(SIZE)
    is_last = len(block) < SIZE
    if not dialect.quoting or b'"' not in block:
        cut = len(block) if is_last else block.rfind(b"\n") + 1
        return block[:cut] or None
    cut, odd = len(block), count(block, _QUOTE) % 2 == 1
    if not is_last:
        # A line end within quotes is no end of a row.
        while True:
            before = block.rfind(b"\n", 0, cut) + 1
            odd ^= block.count(b'"', before, cut) % 2 == 1
            if not before or not odd:
                cut = before
                break
            cut = before - 1
    if odd or not cut:
        return None
    block = block[:cut]
    return block if _is_balanced(block, ord(dialect.delimiter)) else None


def _is_balanced(block: bytes, mark: int) -> bool:
    """Whether as many quotes stand where values begin as where they end. Else one may be open, or be a letter."""
    every = np.frombuffer(b"\n" + block + b"\n", np.uint8)
    at = np.flatnonzero(every == _QUOTE)
    before, after = every[at - 1], every[at + 1]
    ends = (mark, *b"\r\n")
    opened, closed = (sum(np.count_nonzero(beside == end) for end in ends) for beside in (before, after))
    return opened == closed


def read(block: bytes, dialect: Dialect, names: list[str]) -> Block | None:
    """All values as strings, and an empty one as null. None if Arrow cannot read the block."""
    ragged = list[tuple[int, int]]()

    def leave_out(row: Any) -> str:
        ragged.append((row.number, row.actual_columns))
        return "skip"

    quotes = dialect.quoting and b'"' in block
    try:
        table = pacsv.read_csv(
            pa.BufferReader(block),
            read_options=pacsv.ReadOptions(use_threads=False, column_names=names, block_size=SIZE + 1),
            parse_options=pacsv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char='"' if quotes else False,
                newlines_in_values=quotes,
                invalid_row_handler=leave_out,
            ),
            convert_options=pacsv.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid:
        return None
    columns = [column.combine_chunks() for column in table.columns]
    rows = pa.record_batch(columns, schema=table.schema)
    return Block(rows, len(rows) + len(ragged), ragged)


def with_quotes_as_letters(dialect: Dialect, text: TextFile) -> Dialect:
    """The dialect of a tab-separated file: its quotes are letters unless each value that begins with one ends so."""
    opened = closed = 0
    last = b"\n"
    for piece in text.pieces():
        joined = last + piece
        opened += len(re.findall(rb'[\t\r\n]"', joined))
        closed += len(re.findall(rb'"[\t\r\n]', joined))
        last = piece[-1:]
    closed += last == b'"'
    if opened == closed and text.quotes % 2 == 0 and opened:
        return dialect
    return replace(dialect, quoting=False, told=dialect.told | {"quoting": "none"})
