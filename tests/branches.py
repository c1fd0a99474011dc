"""Branches on the name of a part: where code asks which one it has before it, in place of asking the part itself."""

import ast
from collections.abc import Iterator

NAMES = frozenset({"kind", "task", "form"})
"""What holds the name of a part, of a column's kind or of a task."""

OWN = "kinds of columns and inputs, where they belong"

ALLOWED: dict[str, tuple[int, str]] = {
    # Of another kind than a part's.
    "models/faults.py": (11, "pydantic's types of errors"),
    "athanor/transport/sse.py": (1, "kinds of events"),
    "models/data/formats/json_lines.py": (14, "kinds of JSON values"),
    "models/records/events.py": (1, "kinds of events"),
    "models/records/job_views.py": (1, "kinds of events"),
    "athanor/terminal/job_log.py": (4, "kinds of events"),
    "worker/supervision/slots.py": (1, "kinds of devices"),
    # A feature says which columns and inputs it is for.
    "models/parts/features/array.py": (1, OWN),
    "models/parts/features/image.py": (1, OWN),
    "models/parts/features/text.py": (2, OWN),
    # A target says which columns it takes.
    "models/parts/targets/next_token.py": (1, OWN),
    "models/parts/targets/tags.py": (3, OWN),
    "models/parts/targets/value.py": (2, OWN),
}
"""Branches of each file, and why they are there. A number may fall, and none may rise."""


def found(tree: ast.Module) -> Iterator[ast.expr | ast.pattern]:
    """Comparisons of a name with literal ones, cases of a match on it, look-ups in a literal by it, and tests for a
    part's class. What compares a name with what a part says of itself (`task in loss.tasks`) is none.
    """
    parts = _parts_of(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=others):
                sides = [left, *others]
                if any(map(_holds_a_name, sides)) and any(map(_is_a_name, sides)):
                    yield node
            case ast.Match(subject=subject, cases=cases):
                for case in cases:
                    for pattern in _alternatives(case.pattern):
                        of_class = isinstance(pattern, ast.MatchClass) and _class_of(pattern.cls) in parts
                        wild = isinstance(pattern, ast.MatchAs) and pattern.pattern is None
                        if of_class or (_holds_a_name(subject) and not wild):
                            yield pattern
            case ast.Subscript(value=ast.Dict(), slice=key) if _holds_a_name(key):
                yield node
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, kinds]):
                asked = kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]
                if any(_class_of(each) in parts for each in asked):
                    yield node


def _holds_a_name(node: ast.expr) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="self" | "cls" | "dtype") | ast.Attribute(attr="dtype")):
            # A part may ask itself; and NumPy's dtypes have a kind too.
            return False
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name in NAMES
        case ast.Tuple(elts=elements):
            return any(map(_holds_a_name, elements))
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(name)), *_]):
            return name in NAMES
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name in NAMES
    return False


def _is_a_name(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=str()):
            return True
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            return any(map(_is_a_name, elements))
    return False


def _alternatives(pattern: ast.pattern) -> list[ast.pattern]:
    return pattern.patterns if isinstance(pattern, ast.MatchOr) else [pattern]


def _class_of(node: ast.expr) -> str | None:
    return node.id if isinstance(node, ast.Name) else None


def _parts_of(tree: ast.Module) -> set[str]:
    """Classes that a file imports from a shelf: `models.parts.losses.mse`, not `models.parts.loss`."""
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("models.parts.")
        for alias in node.names
        if (node.module or "").count(".") == 3
    }
