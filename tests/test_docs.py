"""Paths, names and links in README, CHANGELOG, CONTRIBUTING and docs are those of the tree."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from models.parts.shelves import SHELVES
from tests.test_contributing import EXAMPLES

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FOLDERS = "api|athanor|benchmarks|docs|migrations|models|supply|tests|worker"
EXAMPLE_PATHS = {*EXAMPLES, "tests/models/parts/architectures/test_highway.py"}
"""What CONTRIBUTING tells to add."""


@cache
def _text(path: Path) -> str:
    return path.read_text()


def _prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", _text(page), flags=re.DOTALL | re.MULTILINE)


def _headings(page: Path) -> set[str]:
    """Anchors as GitHub makes them; a heading that comes again has a number."""
    plain = [re.sub(r"[^\w\s-]", "", line.lower()) for line in re.findall(r"^#+ (.*)$", _prose(page), re.MULTILINE)]
    anchors = [line.strip().replace(" ", "-") for line in plain]
    return {*anchors, *(f"{one}-{number}" for one in anchors for number in range(1, anchors.count(one)))}


@cache
def _names(path: Path) -> set[str]:
    """Functions, classes and top-level names of a file."""
    found = set()
    for node in ast.walk(ast.parse(_text(path))):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
    return found


def _mentioned(page: Path) -> Iterator[tuple[str, str]]:
    """Paths between back-ticks, or in a drawing, with the name behind a colon, if any."""
    yield from re.findall(rf"`((?:{FOLDERS})/[\w./-]*)(?:: (\w+))?`", _prose(page))
    for block in re.findall(r"^```\n(.*?)^```", _text(page), re.DOTALL | re.MULTILINE):
        for path in re.findall(rf"(?<![\w./-])(?:{FOLDERS})/[\w./-]*", block):
            yield path, ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", _prose(page)):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in _headings(target), f"{page.name} links to {link}, and there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_and_names_exist(page: Path) -> None:
    for path, name in _mentioned(page):
        if path in EXAMPLE_PATHS:
            continue
        found = [one for one in (ROOT / path, ROOT / f"{path}.py") if one.exists()]
        assert found, f"{page.name} mentions {path}"
        assert not name or name in _names(found[0]), f"{page.name} mentions {name} of {path}"
    files = {path.name for folder in FOLDERS.split("|") for path in (ROOT / folder).rglob("*.py")}
    for file in re.findall(r"`(\w+\.py)`", _prose(page)):
        assert file in files, f"{page.name} mentions {file}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_beside_a_link_to_a_file_are_its_own(page: Path) -> None:
    for link, names in re.findall(r"\]\(([^)\s]+\.py)\)((?:,? `\w+`)+)", _prose(page)):
        missing = set(re.findall(r"`(\w+)`", names)) - _names(page.parent / link)
        assert not missing, f"{page.name} mentions {missing} of {link}"


def test_contributing_tells_where_a_part_of_every_shelf_is_added() -> None:
    contributing = _text(ROOT / "CONTRIBUTING.md")
    assert [shelf for shelf in SHELVES if f"| a file in `models/parts/{shelf}/` | nothing |" not in contributing] == []
