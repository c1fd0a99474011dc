"""Cells of a prediction, as the features of their columns read them: from the rows of a request, or from a file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from athanor.contract import Column, Schema
from models.data.table import Table
from models.errors import SpecError, similar
from models.parts.feature import UNREADABLE, CellError, first_unreadable, of

LISTED = 10
LONGEST = 50
"""Characters of a name that a message repeats."""

Pointer = Callable[[int, str], str]
"""The JSON Pointer to the cell of a row, from 0, in a column."""


@dataclass(frozen=True)
class Reader:
    """Reads the columns that a prediction needs. `ignored` are others that the dataset has."""

    inputs: list[Column]
    target: Column | None = None
    """It is scored where it is given. None if it is an input too, like the text of a language model."""
    ignored: frozenset[str] = frozenset()

    @classmethod
    def of(cls, inputs: list[Column], target: Column, schema: Schema) -> "Reader":
        """For a job with these columns of a dataset."""
        names = {column.name for column in inputs}
        return cls(
            inputs,
            None if target.name in names else target,
            frozenset(column.name for column in schema.columns) - names - {target.name},
        )

    @property
    def columns(self) -> list[Column]:
        """The columns that are read, if they are there."""
        return [*self.inputs, *([self.target] if self.target else [])]

    def check(self, names: Sequence[str], pointer: Callable[[str], str]) -> list[str]:
        """The inputs that are not among `names`, and may be missing.

        Raises SpecError for a name that the dataset does not have, and for an input that some row must have.
        """
        known = [column.name for column in self.columns]
        for name in names:
            if name not in known and name not in self.ignored:
                close = similar(name, [*known, *self.ignored])
                other = f"did you mean '{close[0]}'?" if close else f"leave it out; the job reads {self._listed()}"
                what = f"the dataset of the job has no column '{name[:LONGEST]}'"
                raise SpecError(pointer(name), what, code="unknown_column", suggestion=other)
        given = set(names)
        absent = [column for column in self.inputs if column.name not in given]
        needed = absent if len(absent) == len(self.inputs) else [each for each in absent if not of(each).can_be_missing]
        for column in needed:
            what = f"no row has the column '{column.name[:LONGEST]}', from which the job learned"
            raise SpecError(
                pointer(column.name), what, code="missing_column", suggestion=f"the job reads {self._listed()}"
            )
        return [column.name for column in absent]

    def rows(self, rows: Sequence[Any]) -> tuple[dict[str, list[Any]], list[str]]:
        """The cells of JSON rows by their columns, and the inputs that no row has.

        A row is {column: value}, or a bare value if there is only one input. Raises SpecError.
        """
        seen: dict[str, int] = {}
        """The first row of each name."""
        made: list[dict[str, Any]] = []
        for at, row in enumerate(rows):
            if not isinstance(row, dict):
                if len(self.inputs) > 1:
                    what = f"a row is an object with the columns {self._listed()}"
                    raise SpecError(f"/rows/{at}", what, code="wrong_row")
                row = {self.inputs[0].name: row}
            for name in row:
                seen.setdefault(name, at)
            made.append(row)
        absent = self.check(list(seen), lambda name: pointer_in(rows)(seen.get(name, 0), name))
        wanted = [each.name for each in self.inputs]
        wanted += [self.target.name] if self.target and self.target.name in seen else []
        return {name: [row.get(name) for row in made] for name in wanted}, absent

    def of_rows(self, rows: Sequence[Any]) -> Table:
        """JSON rows as a table for encoders. Raises SpecError."""
        return self.table(self.rows(rows)[0], pointer_in(rows))

    def table(self, cells: Mapping[str, Sequence[Any]], pointer: Pointer) -> Table:
        """JSON cells as a table for encoders. A target that cannot be read is missing. Raises SpecError."""
        read = {column.name: _read(column, cells[column.name], pointer) for column in self.inputs}
        if self.target is not None and self.target.name in cells:
            read[self.target.name] = _read_target(self.target, cells[self.target.name])
        return Table(Schema(columns=self.columns), pa.table(read))

    def _listed(self) -> str:
        names = [column.name[:LONGEST] for column in self.inputs]
        more = f" and {len(names) - LISTED} others" if len(names) > LISTED else ""
        return ", ".join(names[:LISTED]) + more


def pointer_in(rows: Sequence[Any]) -> Pointer:
    """For the cells of a request. For a row that is a bare value, it points to the row."""
    return lambda at, name: place(at, name) if isinstance(rows[at], dict) else f"/rows/{at}"


def place(at: int, name: str) -> str:
    """The JSON Pointer to the cell of row `at`, from 0, in the column `name`."""
    return f"/rows/{at}/{name.replace('~', '~0').replace('/', '~1')}"


def _read(column: Column, values: Sequence[Any], pointer: Pointer) -> pa.Array:
    feature = of(column)
    try:
        raw = feature.cells(values, column)
    except CellError as error:
        raise SpecError(pointer(error.row, column.name), f"'{column.name}' {error}", code="wrong_value") from error
    try:
        return feature.read(raw, column)
    except UNREADABLE as error:
        row = first_unreadable(feature, raw, column)
        what = f"'{column.name}': {str(values[row])[:LONGEST]!r} cannot be read as a {column.kind}"
        raise SpecError(pointer(row, column.name), what, code="wrong_value") from error


def _read_target(column: Column, values: Sequence[Any]) -> pa.Array:
    feature = of(column)
    try:
        return feature.read(feature.cells(values, column), column)
    except (CellError, *UNREADABLE):
        return feature.read(feature.cells([_readable(column, value) for value in values], column), column)


def _readable(column: Column, value: Any) -> Any:
    """The value, or None if the column cannot read it."""
    feature = of(column)
    try:
        feature.read(feature.cells([value], column), column)
    except (CellError, *UNREADABLE):
        return None
    return value
