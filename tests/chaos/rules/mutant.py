"""One rule, broken."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One edit, and the tests that should notice."""

    broken: str
    file: str
    right: str
    wrong: str
    tests: tuple[str, ...]
