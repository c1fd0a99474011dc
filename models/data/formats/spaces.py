"""Spaces between delimiters and quotes, as in `1, "a, b"`: no reader takes such a quote for one until they are gone."""

import csv
import re
from collections.abc import Iterable, Iterator


def stand_before_quotes(lines: Iterable[str], mark: str) -> bool:
    """Whether some of these lines may have spaces between a delimiter and a quote."""
    return mark != " " and any('"' in line and f"{mark} " in line for line in lines)


def without(lines: Iterable[bytes], mark: str) -> Iterator[bytes]:
    """The lines without the spaces before a quote that opens a value, and behind one that closes it."""
    escaped = re.escape(mark.encode())
    opening = re.compile(rb"(?<=" + escaped + rb") +\Z")
    first = re.compile(rb"(?:\A|(?<=" + escaped + rb")) +\Z")
    closing = re.compile(rb"\A +(?=" + escaped + rb"|[\r\n]|\Z)")
    is_open = False
    for line in lines:
        if b'"' not in line:
            yield line
            continue
        pieces = line.split(b'"')
        for number, piece in enumerate(pieces):
            if not is_open and piece:
                before = number + 1 < len(pieces)
                piece = (first if number == 0 else opening).sub(b"", piece) if before else piece
                pieces[number] = closing.sub(b"", piece) if number else piece
            is_open = is_open != (number + 1 < len(pieces))
        yield b'"'.join(pieces)


def unspaced(lines: list[str], mark: str, *, whole: bool) -> list[str] | None:
    """The first lines of a file without these spaces. None if it has none, or if its quotes do not enclose values.

    `whole`: the file has no more lines.
    """
    if not stand_before_quotes(lines, mark):
        return None
    found = [line.decode() for line in without((line.encode() for line in lines), mark)]
    if found == lines:
        return None
    try:
        for _ in csv.reader(found, delimiter=mark, strict=True):
            pass
    except csv.Error as error:
        if whole or "unexpected end of data" not in str(error):
            return None
    return found
