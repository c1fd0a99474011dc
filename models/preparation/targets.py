"""Target columns as tensors, and outputs back in the user's words.

Shape letters: N rows, K classes.
"""

from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field

from models.preparation.encoders import Learned
from models.preparation.roles import Roles
from models.preparation.split import Rows
from models.table import Table


class Classes(Learned):
    """A category as the number of its class."""

    task: Literal["classification"] = "classification"
    name: str
    classes: list[str]

    @property
    def outputs(self) -> int:
        return len(self.classes)

    def encode(self, table: Table, rows: Rows) -> torch.Tensor:
        """t_N, int64."""
        place = {value: at for at, value in enumerate(self.classes)}
        values = table.strings(self.name)
        return torch.tensor([place[values[row] or ""] for row in rows], dtype=torch.int64)

    def measure(self, y_NK: torch.Tensor, t_N: torch.Tensor) -> dict[str, float]:
        """Share of rows whose largest output is the true class."""
        return {"accuracy": float((y_NK.argmax(1) == t_N).double().mean())}

    def decode(self, y_NK: torch.Tensor) -> list[dict[str, Any]]:
        """Label and probabilities of each row."""
        answers = []
        for p_K in torch.softmax(y_NK.double(), 1).tolist():
            label = self.classes[p_K.index(max(p_K))]
            answers.append({"label": label, "probabilities": dict(zip(self.classes, p_K, strict=True))})
        return answers


class Values(Learned):
    """A number, to zero mean and unit variance over the training rows."""

    task: Literal["regression"] = "regression"
    name: str
    mean: float
    std: float

    @property
    def outputs(self) -> int:
        return 1

    def encode(self, table: Table, rows: Rows) -> torch.Tensor:
        """t_N, float32, standardised."""
        values = (table.numbers(self.name)[rows] - self.mean) / self.std
        return torch.from_numpy(values.astype(np.float32))

    def measure(self, y_NK: torch.Tensor, t_N: torch.Tensor) -> dict[str, float]:
        """Root mean squared and mean absolute error in the target's own unit, and the share of variance explained."""
        error_N = y_NK.squeeze(1).double() - t_N.double()
        spread = float((t_N.double() - t_N.double().mean()).square().mean())
        squared = float(error_N.square().mean())
        measured = {"rmse": squared**0.5 * self.std, "mae": float(error_N.abs().mean()) * self.std}
        return measured | ({"r2": 1 - squared / spread} if spread > 0 else {})

    def decode(self, y_NK: torch.Tensor) -> list[dict[str, Any]]:
        """The value of each row, in the target's own unit."""
        return [{"value": value * self.std + self.mean} for value in y_NK.squeeze(1).double().tolist()]


Target = Annotated[Classes | Values, Field(discriminator="task")]


def fit(table: Table, roles: Roles, train: Rows) -> Target:
    """Learn the target's encoding: classes from the schema, scale from the training rows."""
    if roles.task == "classification":
        return Classes(name=roles.target.name, classes=roles.target.classes or [])
    values = table.numbers(roles.target.name)[train]
    std = float(values.std())
    return Values(name=roles.target.name, mean=float(values.mean()), std=std if std > 0 else 1.0)
