"""Blocks of whole rows of a table of text, which Arrow reads."""

import re
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from models.data.formats.dialect import Dialect
from models.data.formats.text_file import TextFile

SIZE = 2 << 20
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
    block = block[: _end_of_rows(block, is_last=is_last)]
    return block if block and _is_balanced(block, ord(dialect.delimiter)) else None


def _end_of_rows(block: bytes, *, is_last: bool) -> int:
    """The end of the last whole row: no quote is open there, so the number of quotes before it is even."""
    at: list[int] = np.flatnonzero(np.frombuffer(block, np.uint8) == _QUOTE).tolist()
    if is_last:
        return len(block) if len(at) % 2 == 0 else 0
    end = len(block)
    for number in range(len(at), -1, -1):
        start = at[number - 1] if number else 0
        if number % 2 == 0 and (found := block.rfind(b"\n", start, end)) >= 0:
            return found + 1
        end = start
    return 0


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
    # Arrow copies where it combines a single chunk.
    columns = [column.chunk(0) if column.num_chunks == 1 else column.combine_chunks() for column in table.columns]
    rows = pa.record_batch(columns, schema=table.schema)
    return Block(rows, len(rows) + len(ragged), ragged)


def has_formulas(block: bytes) -> bool:
    """Whether some values may be formulas that are texts."""
    return b'="' in block


def as_texts(values: pa.Array) -> pa.Array:
    """The strings, with 00123 in place of `="00123"`, which keeps Excel from taking it for a number."""
    if not pc.any(pc.starts_with(values, '="')).as_py():
        return values
    texts = pc.replace_substring_regex(values, '^="([^"]*)"$', r"\1")
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


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
