"""The verdict about a mutant needs a control that passes and tests that end. Every mutant breaks one place."""

import ast
from pathlib import Path

import pytest

from tests.chaos import mutants
from tests.chaos.mutants import verdict
from tests.chaos.rules import MUTANTS, Mutant, PlaceError

CODE = "def double(x):\n    return 2 * x\n"
TESTS = {
    "test_good.py": "from code_ import double\ndef test(): assert double(3) == 6",
    "test_blind.py": "def test(): pass",
    "test_broken.py": "def test(): assert False",
    "test_empty.py": "",
    "test_slow.py": "import time\nfrom code_ import double\ndef test(): time.sleep(0 if double(3) == 6 else 60)",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of code, and good and bad tests. The controls run once for the whole module."""
    folder = tmp_path_factory.mktemp("project")
    for name, text in {"code_.py": CODE, **TESTS}.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def project(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`files` replaces this repository."""
    monkeypatch.setattr(mutants, "ROOT", files)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("tests", "right", "found"),
    [
        ("test_good.py", "2 * x", "caught"),
        ("test_blind.py", "2 * x", "survived"),
        ("test_broken.py", "2 * x", "no verdict: as it is, pytest ends with 1"),
        ("test_empty.py", "2 * x", "no verdict: as it is, pytest ends with 5"),
        ("test_good.py", "4 * x", "no verdict: code_:double has 0 places to break"),
    ],
)
def test_the_verdict(tests: str, right: str, found: str) -> None:
    assert verdict(Mutant("it doubles nothing", "code_:double", right, "x", (tests,))) == found


@pytest.mark.usefixtures("project")
def test_a_mutant_whose_tests_do_not_end_is_not_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    # The real control may take longer than a second on a busy machine.
    monkeypatch.setattr(mutants, "_control", lambda tests: 0)
    monkeypatch.setattr(mutants, "SECONDS", 1)
    assert verdict(Mutant("it doubles nothing", "code_:double", "2 * x", "x", ("test_slow.py",))) == "timeout"


PACKAGE = {
    "one.py": """def name():
    return 1


class Box:
    @property
    def name(self):
        return 1
""",
    "deeper/two.py": """if True:
    def other():
        return 1


class Lid:
    def name(self):
        return 1
""",
    "deeper/three.py": """class Lid:
    def shut(self):
        return 1
""",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """`room`, with a file and a package of two more; the text `return 1` is in each function."""
    for name, text in PACKAGE.items():
        file = tmp_path / "room" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("symbol", "file", "line"),
    [
        ("room:name", "one.py", 2),
        ("room.one:name", "one.py", 2),
        ("room:Box.name", "one.py", 8),
        ("room:other", "deeper/two.py", 3),
        ("room.deeper:Lid.name", "deeper/two.py", 8),
        ("room.deeper.three:Lid", "deeper/three.py", 3),
    ],
)
def test_a_symbol_is_found_in_any_file_of_its_package(symbol: str, file: str, line: int, package: Path) -> None:
    found, text = Mutant("", symbol, "return 1", "return 2", ()).edit(package)
    lines = PACKAGE[file].split("\n")
    lines[line - 1] = lines[line - 1].replace("1", "2")
    assert (found, text) == (package / "room" / file, "\n".join(lines))


@pytest.mark.parametrize(
    ("symbol", "right", "said"),
    [
        ("room:nobody", "return 1", "room:nobody is defined 0 times"),
        ("room.missing:name", "return 1", "room.missing:name is defined 0 times"),
        ("room:Box.other", "return 1", "room:Box.other is defined 0 times"),
        ("room:Lid", "return 1", "room:Lid is defined 2 times, room/deeper/three.py:1, room/deeper/two.py:6"),
        ("room:name", "class Box", "room:name has 0 places to break"),
        ("room:Box", "e", "room:Box has 5 places to break"),
    ],
)
def test_a_symbol_or_a_text_that_is_not_there_once_breaks_nothing(
    symbol: str, right: str, said: str, package: Path
) -> None:
    with pytest.raises(PlaceError) as refused:
        Mutant("", symbol, right, "2", ()).apply(package)
    assert str(refused.value) == said
    assert {name: (package / "room" / name).read_text() for name in PACKAGE} == PACKAGE


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_breaks_one_place_and_names_tests_that_exist(name: str) -> None:
    root, mutant = Path(__file__).parents[2], MUTANTS[name]
    file, text = mutant.edit(root)
    assert text != file.read_text()
    ast.parse(text)
    assert all((root / each).exists() for each in mutant.tests if each.endswith(".py"))
