"""The rules that a job's survival rests on, each with the edit that breaks it and the tests that should notice."""

from tests.chaos.rules import attempt, resume, table
from tests.chaos.rules.mutant import Mutant, PlaceError

__all__ = ["MUTANTS", "Mutant", "PlaceError"]

MUTANTS = table.MUTANTS | resume.MUTANTS | attempt.MUTANTS
