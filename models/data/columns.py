"""Look up a column of a schema by its name."""

from difflib import get_close_matches

from athanor.contract import Column, Schema
from models.errors import SpecError


def find_column(schema: Schema, name: str, pointer: str) -> Column:
    """The column called `name`. Raises SpecError at `pointer`, with a similar name or a list of the names."""
    for column in schema.columns:
        if column.name == name:
            return column
    names = [column.name for column in schema.columns]
    close = get_close_matches(name, names, 1)
    raise SpecError(
        pointer,
        f"the dataset has no column '{name}'",
        code="unknown_column",
        suggestion=f"did you mean '{close[0]}'?" if close else "its columns are " + ", ".join(names[:20]),
    )
