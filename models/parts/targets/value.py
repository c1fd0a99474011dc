"""A number.

Shape letters: N rows, K outputs, of which there is one.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch

from athanor.contract import Column
from models.data.table import Table
from models.errors import SpecError
from models.parts.architecture import Inputs
from models.parts.feature import of
from models.parts.metric import Meaning
from models.parts.scaling import divisor
from models.parts.target import FittedTarget, Language, Pairs, Rows, Target, wrong_column


class FittedValue(FittedTarget):
    """A number, to zero mean and unit variance over the training rows."""

    task: Literal["regression"] = "regression"
    name: str
    mean: float
    std: float

    @property
    def outputs(self) -> int:
        return 1

    @property
    def column(self) -> str:
        return self.name

    @property
    def meaning(self) -> Meaning:
        return Meaning(unit=self.std)

    def known(self, table: Table) -> Rows:
        return np.flatnonzero(np.isfinite(table.numbers(self.name)))

    def encode(self, table: Table, rows: Rows) -> torch.Tensor:
        """t_N, float32, standardized."""
        values = (table.numbers(self.name)[rows] - self.mean) / self.std
        return torch.from_numpy(values.astype(np.float32))

    def decode(self, y_NK: torch.Tensor, words_N: Sequence[int]) -> list[dict[str, Any]]:
        """The value of each row, in the target's own unit."""
        return [{"value": value * self.std + self.mean} for value in y_NK.squeeze(1).double().tolist()]

    def baseline(self, train: Pairs, part: Pairs) -> dict[str, float]:
        """The metrics of always predicting the mean."""
        return self.measure(train.t.mean().expand(len(part), 1), part.t)

    def reuse(self, column: Column, words: str) -> Self | None:
        """Columns of the same name are assumed to have the same unit."""
        return self if self.name == column.name else None


class Value(Target):
    """A number: the loss is over values of zero mean and unit variance, metrics are in the column's own unit."""

    task: ClassVar[str] = "regression"
    fitted: ClassVar[type[FittedTarget]] = FittedValue
    metrics: ClassVar[tuple[str, ...]] = ("rmse", "mae", "r2")
    losses: ClassVar[tuple[str, ...]] = ("mse",)
    baseline_kind: ClassVar[str] = "mean"
    outputs_are: ClassVar[str] = "one value, to be multiplied by `target.std` and added to `target.mean`"

    kind: Literal["value"] = "value"

    @classmethod
    def recognize(cls, column: Column) -> float:
        return 0.5 if column.kind == "number" else 0.0

    @classmethod
    def check(cls, column: Column) -> None:
        if of(column).names == "classes":
            raise SpecError(
                "/dataset/task", f"'{column.name}' is a {column.kind}; regression needs numbers", code="wrong_task"
            )
        if column.kind != "number":
            raise wrong_column(column)

    @classmethod
    def outputs(cls, column: Column, language: Language | None) -> int:
        return 1

    @classmethod
    def fit(cls, table: Table, column: Column, train: Rows, inputs: Inputs, words: str) -> FittedValue:
        values = table.numbers(column.name)[train]
        mean = float(values.mean())
        return FittedValue(name=column.name, mean=mean, std=float(divisor(values.std(), mean, len(values))))
