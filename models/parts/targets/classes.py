"""One of several classes.

Shape letters: N rows, K classes.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch

from athanor.contract import Column
from models.data.formats.limits import Limits
from models.data.table import Table
from models.data.whole_numbers import number_classes
from models.errors import SpecError
from models.parts.architecture import Inputs
from models.parts.feature import of
from models.parts.metric import Meaning
from models.parts.target import FittedTarget, Language, Pairs, Rows, Target, wrong_column

LISTED = 100
"""The description of a column of whole numbers lists at most so many classes."""
MOST = Limits.max_classes


class FittedClasses(FittedTarget):
    """A category as the number of its class."""

    task: Literal["classification"] = "classification"
    name: str
    classes: list[str]

    @property
    def outputs(self) -> int:
        return len(self.classes)

    @property
    def column(self) -> str:
        return self.name

    @property
    def meaning(self) -> Meaning:
        return Meaning(names=tuple(self.classes))

    def known(self, table: Table) -> Rows:
        classes = set(self.classes)
        return np.flatnonzero([value in classes for value in table.strings(self.name)])

    def encode(self, table: Table, rows: Rows) -> torch.Tensor:
        """t_N, int64."""
        place = {value: at for at, value in enumerate(self.classes)}
        values = table.strings(self.name)
        return torch.tensor([place[values[row] or ""] for row in rows], dtype=torch.int64)

    def decode(self, y_NK: torch.Tensor, words_N: Sequence[int]) -> list[dict[str, Any]]:
        """Label and probabilities of each row; no label if the outputs are not finite."""
        answers = []
        for p_K in torch.softmax(y_NK.double(), 1).tolist():
            label = None if math.isnan(sum(p_K)) else self.classes[p_K.index(max(p_K))]
            answers.append({"label": label, "probabilities": dict(zip(self.classes, p_K, strict=True))})
        return answers

    def baseline(self, train: Pairs, part: Pairs) -> dict[str, float]:
        """The metrics of always predicting the largest class."""
        counts_K = torch.bincount(train.t, minlength=self.outputs)
        return self.measure(counts_K.expand(len(part), -1), part.t)

    def reuse(self, column: Column, words: str) -> Self | None:
        return self.model_copy(update={"name": column.name}) if self.classes == column.classes else None


class Classes(Target):
    """One of several classes: the values of a category, or of whole numbers that are few."""

    task: ClassVar[str] = "classification"
    fitted: ClassVar[type[FittedTarget]] = FittedClasses
    metrics: ClassVar[tuple[str, ...]] = ("accuracy",)
    losses: ClassVar[tuple[str, ...]] = ("cross_entropy",)
    baseline_kind: ClassVar[str] = "majority"
    outputs_are: ClassVar[str] = (
        "one number a class, in the order of `target.classes`; softmax makes them probabilities"
    )
    has_classes: ClassVar[bool] = True
    stratifies: ClassVar[bool] = True

    kind: Literal["classes"] = "classes"

    @classmethod
    def recognize(cls, column: Column) -> float:
        match of(column).names:
            case "classes":
                return 1.0
            case "whole numbers":
                return 1.0 if number_classes(column) else 0.0
        return 0.0

    @classmethod
    def check(cls, column: Column) -> None:
        if of(column).names not in ("classes", "whole numbers"):
            raise wrong_column(column)
        if len(column.classes or []) < 2:
            why, other = "has one value only", "choose another target column, or upload rows in which this one has more"
            if column.distinct == 0:
                why = "has no values"
            elif not column.classes:
                why, other = _too_many(column)
            raise SpecError("/dataset/target", f"'{column.name}' {why}", code="wrong_target", suggestion=other)

    @classmethod
    def outputs(cls, column: Column, language: Language | None) -> int:
        return len(column.classes or [])

    @classmethod
    def fit(cls, table: Table, column: Column, train: Rows, inputs: Inputs, words: str) -> FittedClasses:
        return FittedClasses(name=column.name, classes=column.classes or [])


def _too_many(column: Column) -> tuple[str, str]:
    """Why a column has no classes, and what to do."""
    few = "choose another target column, or make its values fewer"
    if of(column).names == "classes":
        return f"has more than {MOST:,} distinct values, the largest number of classes of a target", few
    if not column.integer:
        return "has numbers that are not whole, which are no classes", 'set dataset.task to "regression"'
    number = f"more than {MOST:,}" if column.distinct is None else f"{column.distinct:,}"
    return (
        f"has {number} distinct whole numbers; more than {LISTED} are classes only as a category, up to {MOST:,}",
        f'add "features": {{"{column.name}": {{"kind": "category"}}}} to dataset, or set dataset.task to "regression"',
    )
