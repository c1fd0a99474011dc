"""The formats of text: what reads each, and which hints of a sender it can follow."""

from collections.abc import Callable
from dataclasses import dataclass

from models.data.formats import delimited, json_lines, plain_text
from models.data.table import Source

_OF_TABLES = frozenset({"encoding", "delimiter", "header", "decimal"})
_OF_TEXTS = frozenset({"encoding"})


@dataclass(frozen=True)
class TextFormat:
    """`read(path, limits, hints)` returns the rows; of the hints it may have those that `hints` names."""

    read: Callable[..., Source]
    hints: frozenset[str]


FORMATS = {
    "csv": TextFormat(delimited.read, _OF_TABLES),
    "tsv": TextFormat(delimited.read_tsv, _OF_TABLES),
    "json": TextFormat(json_lines.read, _OF_TEXTS),
    "jsonl": TextFormat(json_lines.read, _OF_TEXTS),
    "txt": TextFormat(plain_text.read, _OF_TEXTS),
}

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".txt": "txt",
}
