"""The rules of the house, kept by a machine."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import athanor.version
from models.parts.augmentation import AUGMENTATIONS
from models.parts.loss import LOSSES
from models.parts.metric import METRICS
from models.parts.shelves import SHELVES
from models.parts.target import TARGETS
from tests import branches

ROOT = Path(__file__).parents[1]
SKIPPED = {"__pycache__", "build", "dist", "node_modules"}
SERVICE = ("athanor", "api", "worker", "models")
MOST_LINES = 400
VAGUE = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}
STATEMENTS = {"select", "insert", "update", "delete"}
ROWS = ROOT / "models" / "records"


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in SKIPPED:
            continue
        yield path
        if path.is_dir():
            yield from _walk(path)


PATHS = list(_walk(ROOT))
FILES = [path for path in PATHS if path.suffix == ".py"]
TREES = {path: ast.parse(path.read_text(), str(path)) for path in FILES}
SERVED = [path for path in FILES if path.relative_to(ROOT).parts[0] in SERVICE]


def _at(path: Path, node: ast.AST | None = None) -> str:
    line = f":{node.lineno}" if isinstance(node, ast.stmt | ast.expr) else ""
    return f"{path.relative_to(ROOT)}{line}"


def test_the_walk_sees_the_code() -> None:
    seen = {_at(path) for path in FILES}
    assert {
        "models/registry.py",
        "worker/training/loop.py",
        "api/app.py",
        "athanor/client.py",
        "tests/test_house.py",
    } <= seen


def test_a_spec_is_resolved_in_one_place() -> None:
    """At submission. Trainers, predictions, exports and forks read what was resolved, and choose nothing again."""
    found = {
        _at(path)
        for path in FILES
        if path.parts[len(ROOT.parts)] in ("api", "models", "worker")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and "assign" in {name.name for name in node.names}
    }
    assert found == {"models/planning/resolve.py"}


def test_no_file_is_long() -> None:
    lengths = {_at(path): len(path.read_text().splitlines()) for path in FILES}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_names_say_something() -> None:
    assert [_at(path) for path in PATHS if VAGUE & set(re.split(r"[_.]", path.name))] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [_at(path) for path, tree in TREES.items() if tree.body and not ast.get_docstring(tree)]
    assert silent == []


def test_rows_are_read_and_written_in_one_room() -> None:
    found = []
    for path in SERVED:
        if ROWS in path.parents:
            continue
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sqlalchemy":
                found += [_at(path, node) for alias in node.names if alias.name in STATEMENTS | {"*"}]
            elif isinstance(node, ast.Import):
                # `import sqlalchemy as sa` would let sa.select by.
                found += [_at(path, node) for alias in node.names if alias.name.split(".")[0] == "sqlalchemy"]
    assert found == []


def _forbidden(node: ast.AST) -> bool:
    """Whether a node loads code from data, or hands a string to a shell."""
    match node:
        case ast.Import(names=names):
            return any(alias.name.split(".")[0] in UNSAFE for alias in names)
        case ast.ImportFrom(module=str(module), names=names):
            called = {(module.split(".")[0], alias.name) for alias in names}
            return module.split(".")[0] in UNSAFE or bool(called & UNSAFE_CALLS)
        case ast.Call(func=ast.Name(id="eval" | "exec" | "__import__")):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=attribute)) if (
            owner,
            attribute,
        ) in UNSAFE_CALLS:
            return True
        case ast.Call(keywords=keywords):
            said = {keyword.arg: keyword.value for keyword in keywords}
            shell, pickled = said.get("shell"), said.get("allow_pickle")
            if shell is not None and not (isinstance(shell, ast.Constant) and shell.value is False):
                return True
            return pickled is not None and not (isinstance(pickled, ast.Constant) and pickled.value is False)
    return False


UNSAFE = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {
    ("torch", "load"),
    ("torch", "save"),
    ("yaml", "load"),
    ("yaml", "unsafe_load"),
    ("os", "system"),
    ("os", "popen"),
}


def test_nothing_runs_what_it_was_sent() -> None:
    assert [_at(path, node) for path in SERVED for node in ast.walk(TREES[path]) if _forbidden(node)] == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "torch.load('x')",
        "torch.save({}, 'x')",
        "from torch import load",
        "eval('1')",
        "exec(code)",
        "subprocess.run('ls', shell=True)",
        "subprocess.run('ls', shell=flag)",
        "yaml.load(text)",
        "os.system('ls')",
        "numpy.load('x', allow_pickle=True)",
    ],
)
def test_the_rule_above_sees_it(code: str) -> None:
    assert any(_forbidden(node) for node in ast.walk(ast.parse(code)))


@pytest.mark.parametrize("code", ["model.eval()", "subprocess.run(['ls'], shell=False)", "json.load(file)"])
def test_the_rule_above_lets_by(code: str) -> None:
    assert not any(_forbidden(node) for node in ast.walk(ast.parse(code)))


@pytest.mark.parametrize("shelf", SHELVES.values(), ids=SHELVES)
def test_one_part_a_file_and_names_agree(shelf: Any) -> None:
    files = {path.stem for path in (ROOT / "models" / "parts" / shelf.folder).glob("*.py")} - {"__init__"}
    parts = list(shelf)
    assert {part.model_fields["kind"].default for part in parts} == files
    for part in parts:
        assert part.__module__ == f"models.parts.{shelf.folder}.{part.model_fields['kind'].default}"
        assert part.model_json_schema()["properties"]["kind"]["const"] == part.model_fields["kind"].default
    (base,) = {
        next(kind for kind in part.__mro__ if re.fullmatch(r"models\.parts\.\w+", kind.__module__)) for part in parts
    }
    claimed = Counter(part.__module__ for part in base.__subclasses__() if part.__module__.startswith("models."))
    assert set(claimed.values()) == {1}


@pytest.mark.parametrize("shelf", [LOSSES, METRICS, TARGETS, AUGMENTATIONS], ids=lambda shelf: shelf.folder)
def test_every_formula_comes_with_its_test(shelf: Any) -> None:
    tests = {path.stem for path in (ROOT / "tests" / "models" / "parts" / shelf.folder).glob("test_*.py")}
    assert {f"test_{part.model_fields['kind'].default}" for part in shelf} <= tests


def test_no_code_asks_which_task_it_has_before_it() -> None:
    """It asks the target. Migrations name the tasks that there were."""
    tasks, shelves = {part.task for part in TARGETS}, ROOT / "models" / "parts"
    found = [
        _at(path, node)
        for path in SERVED
        if shelves not in path.parents
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.Constant) and node.value in tasks
    ]
    assert found == []


def test_no_code_asks_which_part_it_has_before_it() -> None:
    """A part is asked what it does, not what it is called: else a new one is not a file, but an edit everywhere."""
    counts = {_at(path): len(list(branches.found(TREES[path]))) for path in SERVED}
    allowed = {path: count for path, (count, _) in branches.ALLOWED.items()}
    changed = {path: count for path, count in counts.items() if count != allowed.get(path, 0)}
    assert changed == {}, "more than ALLOWED in tests/branches.py: ask the part; fewer: lower the number there"
    assert allowed.keys() <= counts.keys(), "a file is gone: take it off ALLOWED in tests/branches.py"


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("column.kind == 'number'", 1),
        ("'number' != column.kind", 1),
        ("roles.task in ('tagging', 'regression') and form not in {'text'}", 2),
        ("spec['dataset']['split']['kind'] == 'folds'", 1),
        ("split.get('kind') != 'folds'", 1),
        ("{'tagging': 1}[roles.task]", 1),
        ("match encoder.form:\n    case 'text' | 'stream':\n        pass\n    case _:\n        pass", 2),
        ("match (task, kind):\n    case ('tagging', 'text'):\n        pass", 1),
        ("from models.parts.splits.folds import Folds\nisinstance(split, Folds)", 1),
        ("from models.parts.splits.folds import Folds\nisinstance(split, (int, Folds))", 1),
        ("from models.parts.splits.folds import Folds\nmatch split:\n    case Folds():\n        pass", 1),
        ("from models.parts.split import Split\nisinstance(split, Split)", 0),
        ("roles.task in loss.tasks or part.kind == kind", 0),
        ("column.kind is None", 0),
        ("self.kind == 'add_k'", 0),
        ("array.dtype.kind == 'U'", 0),
        ("LOSSES[part.kind]", 0),
    ],
)
def test_the_rule_above_counts(code: str, count: int) -> None:
    assert len(list(branches.found(ast.parse(code)))) == count


def test_the_client_is_light() -> None:
    script = (
        "import sys, athanor, athanor.client, athanor.cli, athanor.contract;"
        "print(sorted({'torch', 'sqlalchemy', 'fastapi', 'celery', 'numpy', 'pyarrow'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_imports_point_down() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_versions_agree() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    fallback = re.search(r'__version__ = "(.+)"', (ROOT / "athanor" / "version.py").read_text())
    assert fallback is not None
    assert {newest[1], athanor.version.__version__, fallback[1]} == {version}


def test_what_is_imported_is_declared() -> None:
    """A package that only the tests' packages bring would be missing from the image."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["server"]]
    asked += project["dependency-groups"]["demo"]
    declared = {re.split(r"[\[<>=!~; ]", line)[0].lower().replace("-", "_") for line in asked}
    imported = set()
    for path in SERVED:
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.split(".")[0])
    known = {
        "sklearn": "scikit_learn",
        "PIL": "pillow",
        "starlette": "fastapi",
        "kombu": "celery",
        "pydantic_core": "pydantic",
    }
    theirs = imported - set(sys.stdlib_module_names) - {*SERVICE, "tests", "migrations"}
    assert {name for name in theirs if known.get(name, name).lower() not in declared} == set()


def test_what_is_trained_draws_from_generators_that_a_step_seeds() -> None:
    """Python's and NumPy's own generators have a state that no snapshot keeps: a resume would not be exact."""
    rooms = ("models/nn", "models/parts", "worker/training")
    stateful = re.compile(
        r"^import random$|^from random import|\bnp\.random\.(?!default_rng|Generator\b)", re.MULTILINE
    )
    drawn = [
        _at(path)
        for path in SERVED
        if str(path.relative_to(ROOT)).startswith(rooms) and stateful.search(path.read_text())
    ]
    # It seeds all of them once.
    assert drawn == ["worker/training/device.py"]
