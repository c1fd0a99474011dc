"""Byte ranges of a file (RFC 9110 §14)."""

import re

_ONE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")


class Unsatisfiable(ValueError):
    """The range lies outside the file."""


def parse(header: str | None, size: int) -> tuple[int, int] | None:
    """(start, stop) of the requested range. None means the whole file: no range, several ranges, or another unit.

    Raises Unsatisfiable.
    """
    found = _ONE.fullmatch((header or "").replace(" ", ""))
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return None
    if start >= size or start >= stop:
        raise Unsatisfiable
    return start, stop
