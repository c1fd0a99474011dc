"""Byte ranges (RFC 9110 §14): which part of a file a request wants."""

import re

_ONE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")


class Unsatisfiable(ValueError):
    """The range lies outside the file."""


def parse(header: str | None, size: int) -> tuple[int, int] | None:
    """(start, stop) of the one range asked for; None for the whole file, as also for forms not served here.

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
