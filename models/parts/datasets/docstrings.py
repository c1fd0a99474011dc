"""Sentences that every Python has on its disk."""

import ast
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa

from models.data.table import Source
from models.parts.dataset import BuiltIn

_LEFT_OUT = frozenset({"site-packages", "test", "tests", "idle_test", "idlelib", "lib2to3", "_vendor", "pydoc_data"})
_PACKAGES = 10
_MOST = 800
_WORDS = range(4, 41)
_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])|\n\s*\n")
_CODE = re.compile(r">>>|[{}|<>=]{2}|^\s*[-*+:@]|\\")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Docstrings(BuiltIn):
    """Sentences of the standard library's docstrings, labeled by the package they come from.

    About 5,000 rows; columns `text` (4 to 40 words) and `package`, one of the ten packages that have the most such
    sentences, each with at most 800. The files are read, not imported; another release of Python gives other rows.
    Python Software Foundation, The Python Standard Library.
    """

    kind: Literal["docstrings"] = "docstrings"

    def source(self) -> Source:
        library = Path(sysconfig.get_path("stdlib"))
        folders = [folder for folder in sorted(library.iterdir()) if (folder / "__init__.py").is_file()]
        found = {folder.name: list(_sentences(folder)) for folder in folders if folder.name not in _LEFT_OUT}
        largest = sorted(found, key=lambda name: (-len(found[name]), name))[:_PACKAGES]
        rows = {text: name for name in sorted(largest) for text in _thinned(found[name])}
        columns = {"text": pa.array(rows.keys(), pa.string()), "package": pa.array(rows.values(), pa.string())}
        return Source(iter([pa.record_batch(columns)]), target="package")


def _thinned(sentences: list[str]) -> list[str]:
    step = max(1.0, len(sentences) / _MOST)
    return [sentences[int(number * step)] for number in range(min(len(sentences), _MOST))]


def _sentences(folder: Path) -> Iterator[str]:
    seen = set()
    for file in sorted(folder.rglob("*.py")):
        if _LEFT_OUT.intersection(file.relative_to(folder).parts):
            continue
        for docstring in _docstrings(file):
            for sentence in _END.split(docstring):
                text = " ".join(sentence.split())
                if len(text.split()) in _WORDS and not _CODE.search(text) and text not in seen:
                    seen.add(text)
                    yield text


def _docstrings(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED):
            docstring = ast.get_docstring(node)
            if docstring:
                yield docstring
