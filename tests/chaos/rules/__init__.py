"""The rules of durability, each with an edit that breaks it and the tests that should fail."""

from tests.chaos.rules import attempt, resume, table
from tests.chaos.rules.mutant import Mutant, PlaceError

__all__ = ["MUTANTS", "Mutant", "PlaceError"]

MUTANTS = table.MUTANTS | resume.MUTANTS | attempt.MUTANTS
