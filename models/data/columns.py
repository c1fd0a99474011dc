"""Look up a column of a schema by its name."""

from athanor.contract import Column, Schema
from models.errors import SpecError, similar

LONGEST = 50
"""Characters of a name that a message repeats."""


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
