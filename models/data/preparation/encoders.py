"""Input columns as one tensor. What was learned from the training rows travels with the checkpoint as JSON.

Shape letters: N rows, F features, C channels, H height, W width, T words.
"""

from typing import TYPE_CHECKING, Annotated, Literal, Union

import numpy as np
import torch
from pydantic import Field

from models.data.preparation.roles import Roles
from models.data.preparation.stream import TokenEncoder
from models.data.table import Table
from models.errors import SpecError
from models.parts.feature import ENCODERS, FEATURES, Rows, of
from models.parts.feature import Encoder as ColumnEncoder
from models.parts.inputs import Inputs, side_by_side
from models.parts.learned import Learned

if TYPE_CHECKING:
    AnyColumnEncoder = ColumnEncoder
else:
    assert list(FEATURES), "the features bring their encoders"
    AnyColumnEncoder = Annotated[Union[tuple(ENCODERS.values())], Field(discriminator="kind")]  # noqa: UP007


class TensorEncoder(Learned):
    """The columns of one input: a single one, or several vectors side by side."""

    form: Literal["columns"] = "columns"
    columns: list[AnyColumnEncoder]

    @classmethod
    def fit(cls, table: Table, roles: Roles, train: Rows) -> "TensorEncoder":
        """Learn from the training rows alone. `table` holds cells that were read."""
        columns = sorted(roles.inputs, key=lambda column: of(column).place)
        return cls(columns=[of(column).fit(table, column, train, roles.accepts) for column in columns])

    @property
    def first(self) -> ColumnEncoder:
        return self.columns[0]

    @property
    def is_table(self) -> bool:
        """Whether it reads columns side by side, by their names."""
        return all(FEATURES[column.reads].side_by_side for column in self.columns)

    def inputs(self) -> Inputs:
        return side_by_side([column.inputs() for column in self.columns])

    def encode(self, table: Table) -> torch.Tensor:
        """x_N…: int64 for words, else float32."""
        arrays = [column.encode(table) for column in self.columns]
        x = arrays[0] if len(arrays) == 1 else np.concatenate(arrays, 1)
        return torch.from_numpy(x if x.dtype == np.int64 else x.astype(np.float32, copy=False))

    def column_at(self, place: int) -> str:
        """The column that the number at `place` of a row is from."""
        for column in self.columns:
            place -= column.inputs().features
            if place < 0:
                return column.name
        raise IndexError(place)

    def for_roles(self, roles: Roles) -> "TensorEncoder":
        """The same for the columns of another job. Raises SpecError where they are not what it reads."""
        if self.is_table:
            return self._for_table(roles)
        first = roles.inputs[0]
        if roles.is_table or len(roles.inputs) > 1:
            raise _unlike(
                "/dataset/input", f"the parent reads one {self.first.reads} column; this job would read a table"
            )
        found = self.first.for_column(first)
        if isinstance(found, str):
            raise _unlike("/dataset/input", found)
        return TensorEncoder(columns=[found])

    def _for_table(self, roles: Roles) -> "TensorEncoder":
        if not roles.is_table:
            one = roles.inputs[0]
            raise _unlike("/dataset/input", f"the parent reads columns of a table; '{one.name}' is a {one.kind} column")
        wanted, found = {column.name for column in self.columns}, {column.name: column for column in roles.inputs}
        if odd := sorted(wanted ^ found.keys()):
            verb = "learned from" if odd[0] in wanted else "did not learn from"
            raise _unlike("/dataset/inputs", f"the parent {verb} '{odd[0]}'; give the columns it learned from, or none")
        for column in self.columns:
            if isinstance(said := column.for_column(found[column.name]), str):
                raise _unlike("/dataset/inputs", said)
        return self


Encoder = Annotated[TensorEncoder | TokenEncoder, Field(discriminator="form")]


def _unlike(pointer: str, message: str) -> SpecError:
    return SpecError(pointer, message, code="other_inputs")
