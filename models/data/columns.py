"""Look up a column of a schema by its name, and say how a column is read."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from athanor.contract import Column, Schema
from models.errors import SpecError, similar

LONGEST = 50
"""Characters of a name that a message repeats."""


LONGEST_FIELD = 200
"""Characters of the longest name that a warning has as its column."""


def shown(name: str) -> str:
    """A name in quotes, cut for a message."""
    return repr(name if len(name) <= LONGEST else name[: LONGEST - 1] + "…")


def field(name: str) -> str | None:
    """The column of a warning. None for a name that would be most of a long list of warnings."""
    return name if len(name) <= LONGEST_FIELD else None


def settled(features: Mapping[str, Mapping[str, Any]]) -> str:
    """What to set so that columns are read by `features`: JSON for a job spec, and an option of the command line."""
    spec, option = (json.dumps(each, ensure_ascii=False) for each in ({"dataset": {"features": features}}, features))
    return f"set {spec} in the spec, or upload with --feature {shlex.quote(option)}"


def find_column(schema: Schema, name: str, pointer: str) -> Column:
    """The column called `name`. Raises SpecError at `pointer`, with a similar name or a list of the names."""
    for column in schema.columns:
        if column.name == name:
            return column
    names = [column.name for column in schema.columns]
    close = similar(name, names)
    raise SpecError(
        pointer,
        f"the dataset has no column '{name[:LONGEST]}'",
        code="unknown_column",
        suggestion=f"did you mean '{close[0]}'?"
        if close
        else "its columns are " + ", ".join(each[:LONGEST] for each in names[:20]),
    )
