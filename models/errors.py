"""What is wrong with what a user gave: a spec that cannot work, data that cannot be used."""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

MOST_NAMES, LONGEST_NAME = 500, 64
"""Bounds of `similar`: it takes time in proportion to the number of names and to the square of their length."""


def similar(name: str, known: Iterable[str], most: int = 1) -> list[str]:
    """At most `most` known names that are like `name`, the most similar first. Long names are like none."""
    if len(name) > LONGEST_NAME:
        return []
    short = (each for each in known if len(each) <= LONGEST_NAME)
    return get_close_matches(name, list(islice(short, MOST_NAMES)), most)


class SpecError(ValueError):
    """A spec that cannot work. `pointer` is a JSON Pointer into the spec."""

    def __init__(self, pointer: str, message: str, *, code: str = "cannot_work", suggestion: str | None = None) -> None:
        super().__init__(message)
        self.pointer, self.message, self.code, self.suggestion = pointer, message, code, suggestion

    def below(self, place: str) -> "SpecError":
        """The same of a spec that is not a whole body but stands at `place` in it."""
        return SpecError(place + self.pointer, self.message, code=self.code, suggestion=self.suggestion)


class DataError(ValueError):
    """Data that cannot be used. The message says what is wrong, in which row or file, and what to do."""
