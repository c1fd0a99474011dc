"""Encode input columns as tensors. The checkpoint stores what was learned from the training rows as JSON.

Shape letters: N rows, F features, C channels, H height, W width, T words.
"""

from typing import TYPE_CHECKING, Annotated, Literal, Union

import numpy as np
import torch
from pydantic import Field

from models.data.preparation.roles import InputColumns, Roles
from models.data.preparation.stream import TokenEncoder
from models.data.table import Table
from models.errors import SpecError
from models.parts.feature import ENCODERS, FEATURES, Rows, SequenceEncoder, joined, of
from models.parts.feature import Encoder as ColumnEncoder
from models.parts.inputs import ONLY, Inputs, NamedInputs, side_by_side
from models.parts.learned import Learned

if TYPE_CHECKING:
    AnyColumnEncoder = ColumnEncoder
else:
    assert list(FEATURES), "the features bring their encoders"
    AnyColumnEncoder = Annotated[Union[tuple(ENCODERS.values())], Field(discriminator="kind")]  # noqa: UP007


class TensorEncoder(Learned):
    """Encodes the columns of one input: a single column, or several joined into one vector."""

    form: Literal["columns"] = "columns"
    columns: list[AnyColumnEncoder]

    @classmethod
    def fit(cls, table: Table, given: InputColumns, train: Rows) -> "TensorEncoder":
        """Learn from the training rows alone. The cells in `table` must have been read."""
        columns = sorted(given.columns, key=lambda column: of(column).place)
        return cls(columns=[of(column).fit(table, column, train, given.accepts) for column in columns])

    @property
    def first(self) -> ColumnEncoder:
        return self.columns[0]

    @property
    def sequence(self) -> SequenceEncoder:
        """The encoder of the only column, for a target with an answer for each word."""
        (column,) = self.columns
        assert isinstance(column, SequenceEncoder)
        return column

    @property
    def required_columns(self) -> list[str] | None:
        """Columns that other data must have too; None if its only column, such as a text, may have any name."""
        return [column.name for column in self.columns] if joined(each.reads for each in self.columns) else None

    def inputs(self) -> Inputs:
        return side_by_side([column.inputs() for column in self.columns])

    def named_inputs(self) -> NamedInputs:
        return {ONLY: self.inputs()}

    def encode(self, table: Table) -> torch.Tensor:
        """x_N…: int64 for words, else float32."""
        arrays = [column.encode(table) for column in self.columns]
        x = arrays[0] if len(arrays) == 1 else np.concatenate(arrays, 1)
        return torch.from_numpy(x if x.dtype == np.int64 else x.astype(np.float32, copy=False))

    def each(self) -> list["TensorEncoder"]:
        """The encoder of each input, in the order of their tensors."""
        return [self]

    def column_at(self, place: int) -> str:
        """The column of the number at position `place` of an encoded row."""
        for column in self.columns:
            place -= column.inputs().features
            if place < 0:
                return column.name
        raise IndexError(place)

    def for_roles(self, roles: Roles) -> "TensorEncoder":
        """This encoder for the columns of another job. Raises SpecError if it cannot read them."""
        if len(roles.named) > 1:
            raise other_inputs("/architecture/kind", "the parent reads one input; this job would read several")
        return self.for_columns(roles.only)

    def after(self, table: Table, train: Rows) -> "TensorEncoder":
        """This encoder after a further training on these rows."""
        return TensorEncoder(columns=[column.after(table, train) for column in self.columns])

    def for_columns(self, given: InputColumns) -> "TensorEncoder":
        """This encoder for the columns of one input. Raises SpecError if it cannot read them."""
        if self.required_columns is not None:
            return self._for_joined(given)
        if given.joined:
            raise other_inputs(
                "/dataset/input", f"the parent reads one {self.first.reads} column; this job would read a table"
            )
        found = self.first.for_column(given.columns[0])
        if isinstance(found, str):
            raise other_inputs("/dataset/input", found)
        return TensorEncoder(columns=[found])

    def _for_joined(self, given: InputColumns) -> "TensorEncoder":
        if not given.joined:
            one = given.columns[0]
            raise other_inputs(
                "/dataset/input", f"the parent reads columns of a table; '{one.name}' is a {one.kind} column"
            )
        wanted, found = {column.name for column in self.columns}, {column.name: column for column in given.columns}
        if odd := sorted(wanted ^ found.keys()):
            verb = "learned from" if odd[0] in wanted else "did not learn from"
            raise other_inputs(
                "/dataset/inputs", f"the parent {verb} '{odd[0]}'; give the columns it learned from, or none"
            )
        for column in self.columns:
            if isinstance(said := column.for_column(found[column.name]), str):
                raise other_inputs("/dataset/inputs", said)
        return self


class NamedEncoder(Learned):
    """Encodes the columns of several inputs: one encoder for each input of the architecture, by name."""

    form: Literal["named"] = "named"
    named: dict[str, TensorEncoder]

    @classmethod
    def fit(cls, table: Table, roles: Roles, train: Rows) -> "NamedEncoder":
        """Learn from the training rows alone. The cells in `table` must have been read."""
        return cls(named={name: TensorEncoder.fit(table, given, train) for name, given in roles.named.items()})

    @property
    def required_columns(self) -> list[str] | None:
        """Columns that other data must have too."""
        return [column.name for column in self.columns]

    @property
    def columns(self) -> list[ColumnEncoder]:
        return [column for each in self.named.values() for column in each.columns]

    def named_inputs(self) -> NamedInputs:
        return {name: each.inputs() for name, each in self.named.items()}

    def each(self) -> list[TensorEncoder]:
        return list(self.named.values())

    def encode(self, table: Table) -> dict[str, torch.Tensor]:
        """x_N… of each input."""
        return {name: each.encode(table) for name, each in self.named.items()}

    def after(self, table: Table, train: Rows) -> "NamedEncoder":
        """This encoder after a further training on these rows."""
        return NamedEncoder(named={name: each.after(table, train) for name, each in self.named.items()})

    def for_roles(self, roles: Roles) -> "NamedEncoder":
        """This encoder for the columns of another job. Raises SpecError if it cannot read them."""
        if roles.named.keys() != self.named.keys():
            raise other_inputs("/architecture/kind", f"the parent reads the inputs {', '.join(self.named)}")
        return NamedEncoder(named={name: each.for_columns(roles.named[name]) for name, each in self.named.items()})


def fit(table: Table, roles: Roles, train: Rows) -> TensorEncoder | NamedEncoder:
    """The encoder of a job's columns, learned from the training rows. The cells in `table` must have been read."""
    return (
        NamedEncoder.fit(table, roles, train) if len(roles.named) > 1 else TensorEncoder.fit(table, roles.only, train)
    )


Encoder = Annotated[TensorEncoder | NamedEncoder | TokenEncoder, Field(discriminator="form")]


def other_inputs(pointer: str, message: str) -> SpecError:
    """The error for a job with columns that the encoder of its parent cannot read."""
    return SpecError(pointer, message, code="other_inputs")
