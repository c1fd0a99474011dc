"""A column of a schema by its name, or a refusal that says which names there are."""

from difflib import get_close_matches

from athanor.contract import Column, Schema
from models.errors import SpecError


def find_column(schema: Schema, name: str, pointer: str) -> Column:
    """Raises SpecError at `pointer`, which is where the spec names the column."""
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
