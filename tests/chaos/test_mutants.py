"""The judge of broken rules: no verdict without a control, and none for whoever does not end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import mutants
from tests.chaos.mutants import verdict
from tests.chaos.rules import MUTANTS, Mutant

CODE = "def double(x):\n    return 2 * x\n"
TESTS = {
    "test_good.py": "from code_ import double\ndef test(): assert double(3) == 6",
    "test_blind.py": "def test(): pass",
    "test_broken.py": "def test(): assert False",
    "test_empty.py": "",
    "test_slow.py": "import time\nfrom code_ import double\ndef test(): time.sleep(0 if double(3) == 6 else 60)",
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One file of code, and tests good and bad."""
    for name, text in {"code_.py": CODE, **TESTS}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    mutants._control.cache_clear()
    yield
    mutants._control.cache_clear()


@pytest.mark.parametrize(
    ("tests", "right", "found"),
    [
        ("test_good.py", "2 * x", "caught"),
        ("test_blind.py", "2 * x", "survived"),
        ("test_broken.py", "2 * x", "no verdict: as it is, pytest ends with 1"),
        ("test_empty.py", "2 * x", "no verdict: as it is, pytest ends with 5"),
        ("test_good.py", "4 * x", "no verdict: code_.py has 0 places to break"),
    ],
)
def test_the_verdict(tests: str, right: str, found: str) -> None:
    assert verdict(Mutant("it doubles nothing", "code_.py", right, "x", (tests,))) == found


def test_who_does_not_end_is_not_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "SECONDS", 6)
    assert verdict(Mutant("it doubles nothing", "code_.py", "2 * x", "x", ("test_slow.py",))) == "timeout"


def test_every_mutant_breaks_one_place_and_names_tests_that_exist() -> None:
    root = Path(__file__).parents[2]
    for name, mutant in MUTANTS.items():
        assert (root / mutant.file).read_text().count(mutant.right) == 1, name
        assert all((root / each).exists() for each in mutant.tests if each.endswith(".py")), name
