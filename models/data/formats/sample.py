"""The first lines of a table of text, and the records that they make under a delimiter."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

from models.data.formats import spaces
from models.data.formats.limits import Limits
from models.data.formats.lines import read_table_lines

_LINES = 1000
_BYTES = 1 << 20


@dataclass(frozen=True)
class Record:
    """A row of fields. `line` counts the lines above it, `next` also its own."""

    line: int
    next: int
    fields: list[str]


@dataclass(frozen=True)
class Sample:
    """The first lines of a file, each with its end, and the byte of the file at which each ends.

    `whole`: the file has no more lines.
    """

    lines: list[str]
    ends: list[int]
    whole: bool
    _unspaced: dict[str, list[str] | None] = field(default_factory=dict, compare=False)

    def unspaced(self, delimiter: str) -> list[str] | None:
        """The lines without spaces between delimiters and quotes; None if there are no such spaces."""
        if delimiter not in self._unspaced:
            self._unspaced[delimiter] = spaces.unspaced(self.lines, delimiter, whole=self.whole)
        return self._unspaced[delimiter]

    def records(self, delimiter: str, *, quoting: bool, start: int = 0) -> list[Record]:
        """The records of the lines from number `start` on. Empty lines make none, and a cut record is left out."""
        found: list[Record] = []
        lines = (self.unspaced(delimiter) if quoting else None) or self.lines
        reader = csv.reader(
            lines[start:], delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
        )
        line = start
        try:
            for fields in reader:
                if fields:
                    found.append(Record(line, start + reader.line_num, fields))
                line = start + reader.line_num
        except csv.Error:
            # A quote that does not close: what is above it counts.
            return found
        if found and not self.whole and found[-1].next == len(self.lines) and len(found) > 1:
            found.pop()
        return found


def look(path: Path, start: int, limits: Limits) -> Sample:
    """The first lines of the text at `path` from the byte `start` on. Raises OverLimit for a line that is too long."""
    lines, ends = list[str](), list[int]()
    at = start
    for line in read_table_lines(path, start, limits):
        if len(lines) >= _LINES or (at - start > _BYTES and len(lines) > 1):
            return Sample(lines, ends, False)
        at += len(line)
        lines.append(line.decode())
        ends.append(at)
    return Sample(lines, ends, True)
