"""`python -m tests.chaos.mutants [name …]` breaks one rule at a time in a copy of the code. A test must notice each.

This shows that the tests of durability can fail.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from benchmarks import pages, result
from tests.chaos.rules import MUTANTS, Mutant, PlaceError

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".venv", ".git", "__pycache__", ".*_cache", ".hypothesis", "athanor-data", "dist")
SECONDS = 300


def verdict(mutant: Mutant) -> str:
    """ "caught" if a test failed, else what happened instead."""
    if (control := _control(mutant.tests)) != 0:
        return f"no verdict: as it is, pytest ends with {control}"
    with _copy() as tree:
        try:
            mutant.apply(tree)
        except PlaceError as error:
            return f"no verdict: {error}"
        ended = _pytest(tree, mutant.tests)
    # 1: a test failed. Any other code means that no test was collected, or that the mutant itself is wrong.
    return {0: "survived", 1: "caught", None: "timeout"}.get(ended, f"no verdict: pytest ended with {ended}")


@cache
def _control(tests: tuple[str, ...]) -> int | None:
    """The exit code of the tests in an unchanged copy."""
    with _copy() as tree:
        return _pytest(tree, tests)


@contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(shutil.copytree(ROOT, Path(folder) / "tree", ignore=LEFT_OUT))


def _pytest(tree: Path, tests: tuple[str, ...]) -> int | None:
    """The exit code of pytest in `tree`; None if it did not end in time."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        return subprocess.run(command, cwd=tree, capture_output=True, timeout=SECONDS, env=_environment()).returncode
    except subprocess.TimeoutExpired:
        return None


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("ATHANOR_", "PYTEST_"))}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(MUTANTS))
    parser.add_argument("--keep", action="store_true", help="write the table to benchmarks/results and docs")
    chosen = parser.parse_args()
    table: list[dict[str, str | bool]] = []
    for name in chosen.names or MUTANTS:
        began = time.monotonic()
        found = verdict(MUTANTS[name])
        table.append({"name": name, "broken": MUTANTS[name].broken, "verdict": found, "caught": found == "caught"})
        print(f"{found if found == 'caught' else found.upper()} {name} ({time.monotonic() - began:.0f} s)", flush=True)
    caught = sum(bool(row["caught"]) for row in table)
    print(f"{caught} of {len(table)} caught")
    if chosen.keep:
        # Mutants that were not selected keep their verdict.
        known = {str(row["name"]): row for row in pages.measured("mutants").get("table", [])} if chosen.names else {}
        known |= {str(row["name"]): row for row in table}
        result.write("mutants", {"table": [known[name] for name in MUTANTS if name in known]})
        pages.rewrite()
    return 0 if caught == len(table) else 1


if __name__ == "__main__":
    raise SystemExit(main())
