"""A rule and the edit that breaks it. The place is given by symbol, so code may move to another file."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class PlaceError(Exception):
    """The symbol, or the quoted text within it, does not occur exactly once."""


@dataclass(frozen=True)
class Mutant:
    """An edit, and the tests that should fail.

    `symbol` is `module:name`. `name` is a function or a class, with the classes around it: `Supervisor.run`. `module`
    may be a package: every file below it is then searched. `right` is quoted from between the first and the last line
    of the symbol, decorators included.
    """

    broken: str
    symbol: str
    right: str
    wrong: str
    tests: tuple[str, ...]

    def apply(self, root: Path) -> None:
        """Break the code below `root`. Raises PlaceError, and then changes nothing."""
        file, text = self.edit(root)
        file.write_text(text)

    def edit(self, root: Path) -> tuple[Path, str]:
        """The file that holds the symbol, and its text after the edit. Raises PlaceError."""
        module, _, name = self.symbol.partition(":")
        found = [(file, lines) for file in _files(root, module) for lines in _definitions(file.read_text(), name)]
        if len(found) != 1:
            places = "".join(f", {file.relative_to(root)}:{lines[0]}" for file, lines in found)
            raise PlaceError(f"{self.symbol} is defined {len(found)} times{places}")
        [(file, (first, last))] = found
        lines = file.read_text().split("\n")
        quoted = "\n".join(lines[first - 1 : last]) + "\n"
        if (count := quoted.count(self.right)) != 1:
            raise PlaceError(f"{self.symbol} has {count} places to break")
        changed = quoted.replace(self.right, self.wrong).removesuffix("\n")
        return file, "\n".join([*lines[: first - 1], changed, *lines[last:]])


def _files(root: Path, module: str) -> list[Path]:
    """The file of a module, or every file of a package."""
    path = root.joinpath(*module.split("."))
    file = path.with_name(f"{path.name}.py")
    return [file] if file.is_file() else sorted(path.rglob("*.py"))


def _definitions(text: str, name: str) -> Iterator[tuple[int, int]]:
    """The first and the last line of every definition of a dotted name, counted from 1, decorators included."""
    for qualified, node in _walk(ast.parse(text), ""):
        if qualified == name:
            yield min(each.lineno for each in (node, *node.decorator_list)), node.end_lineno or node.lineno


def _walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, Definition]]:
    """Every function and class below a node with its dotted name, also those inside `if`, `try` and `with`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            yield prefix + child.name, child
            yield from _walk(child, f"{prefix}{child.name}.")
        else:
            yield from _walk(child, prefix)
