"""Whatever a stranger can reach has an entry in the corpus: every route, every format, every kind of child."""

import ast
from collections import Counter
from pathlib import Path

from models.data.formats import FORMATS
from tests.hostile.case import Answer, Case
from tests.hostile.corpus import cases, routes
from tests.hostile.requests import BODIES

ROOT = Path(__file__).parents[2]
STARTERS = {"run_bounded", "Child"}
CLIENTS_OWN = {"athanor/verification.py"}
"""Children of the command line. They read bundles: see tests/athanor/test_verification.py."""


def _starters() -> set[str]:
    """The files that start enclosed children."""
    found = set()
    for room in ("api", "athanor", "models", "worker"):
        for path in (ROOT / room).rglob("*.py"):
            calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
            if any(isinstance(each, ast.Name) and each.id in STARTERS for each in calls):
                found.add(str(path.relative_to(ROOT)))
    return found - {"athanor/processes/bounded.py"}


def test_everything_has_an_entry() -> None:
    covered = {each for case in cases() for each in case.covers}
    wanted = {*routes(), *(f"format {name}" for name in FORMATS)}
    wanted |= {f"child {path}" for path in _starters() - CLIENTS_OWN}
    assert wanted <= covered, f"tests/hostile has no case for {sorted(wanted - covered)}"


def test_every_body_is_tried() -> None:
    """A route with a JSON body, or with a form, is given the whole list."""
    from api.app import app

    bodies = {
        f"{method.upper()} {path}"
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation
    }
    assert bodies == {*BODIES, "POST /v1/datasets"}


def test_names_are_unique() -> None:
    repeated = [name for name, times in Counter(case.name for case in cases()).items() if times > 1]
    assert not repeated


def test_what_is_wrong_with_an_answer() -> None:
    refused, costly, either = (
        Case("x", lambda target: Answer(0, b""), is_accepted=each) for each in (False, True, None)
    )
    problem = Answer(422, b'{"code": "invalid"}')
    assert refused.fault(problem) is None and refused.fault(Answer(200, b"{}"))
    assert costly.fault(Answer(201, b"{}")) is None and costly.fault(problem)
    assert either.fault(problem) is None and either.fault(Answer(200, b"")) is None
    assert refused.fault(Answer(500, b"")) and either.fault(Answer(0, b"")) and either.fault(Answer(400, b"{}"))
    assert either.fault(Answer(503, b'{"code": "busy"}')) is None
