"""Target columns as tensors, and outputs back in the user's words.

Shape letters: N rows, K classes.
"""

import math
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field

from models.data.preparation.encoders import Encoder
from models.data.preparation.roles import Roles
from models.data.preparation.spans import f1
from models.data.preparation.split import Rows
from models.data.preparation.stream import NextToken
from models.data.table import Table
from models.errors import DataError
from models.parts.features.text import WordsEncoder
from models.parts.learned import Learned
from models.parts.loss import Criterion
from models.parts.scaling import divisor


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

    def criterion(self, loss: Criterion) -> Criterion:
        return loss

    def decode(self, y_NK: torch.Tensor, x_N: torch.Tensor) -> list[dict[str, Any]]:
        """Label and probabilities of each row; no label where the network overflowed."""
        answers = []
        for p_K in torch.softmax(y_NK.double(), 1).tolist():
            label = None if math.isnan(sum(p_K)) else self.classes[p_K.index(max(p_K))]
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
        """t_N, float32, standardized."""
        values = (table.numbers(self.name)[rows] - self.mean) / self.std
        return torch.from_numpy(values.astype(np.float32))

    def measure(self, y_NK: torch.Tensor, t_N: torch.Tensor) -> dict[str, float]:
        """Root mean squared and mean absolute error in the target's own unit, and the share of variance explained."""
        error_N = y_NK.squeeze(1).double() - t_N.double()
        spread = float((t_N.double() - t_N.double().mean()).square().mean())
        squared = float(error_N.square().mean())
        measured = {"rmse": squared**0.5 * self.std, "mae": float(error_N.abs().mean()) * self.std}
        return measured | ({"r2": 1 - squared / spread} if spread > 0 else {})

    def criterion(self, loss: Criterion) -> Criterion:
        return loss

    def decode(self, y_NK: torch.Tensor, x_N: torch.Tensor) -> list[dict[str, Any]]:
        """The value of each row, in the target's own unit."""
        return [{"value": value * self.std + self.mean} for value in y_NK.squeeze(1).double().tolist()]


class Tags(Learned):
    """A tag for each word of a row."""

    task: Literal["tagging"] = "tagging"
    name: str
    words: str = Field(description="the column of words the tags belong to")
    tags: list[str]
    length: int

    @property
    def outputs(self) -> int:
        return len(self.tags)

    def encode(self, table: Table, rows: Rows) -> torch.Tensor:
        """t_NT, int64; -1 where there is no word. Raises DataError for a row with more tags than words, or fewer."""
        place = {tag: at for at, tag in enumerate(self.tags)}
        words, tags = table.tokens(self.words), table.tokens(self.name)
        t_NT = torch.full((len(rows), self.length), -1)
        for at, row in enumerate(rows):
            here = tags[row] or []
            if len(here) != len(words[row] or []):
                raise DataError(
                    f"row {row + 1} has {len(words[row] or [])} words in '{self.words}' and {len(here)} tags in "
                    f"'{self.name}'; give every word its tag"
                )
            kept = here[: self.length]
            t_NT[at, : len(kept)] = torch.tensor([place[tag] for tag in kept])
        return t_NT

    def criterion(self, loss: Criterion) -> Criterion:
        """The loss over words alone."""

        def over_words(y_BTK: torch.Tensor, t_BT: torch.Tensor) -> torch.Tensor:
            t_BT = t_BT[:, : y_BTK.shape[1]]
            return loss(y_BTK[t_BT >= 0], t_BT[t_BT >= 0])

        return over_words

    def measure(self, y_NTK: torch.Tensor, t_NT: torch.Tensor) -> dict[str, float]:
        """Share of words with the right tag, and F1 over entities as conlleval counts them."""
        return self.score(y_NTK.argmax(2), t_NT[:, : y_NTK.shape[1]])

    def measure_step(self, y_NTK: torch.Tensor, t_NT: torch.Tensor) -> dict[str, float]:
        """The share alone: to look for entities takes longer than many a step."""
        return {"accuracy": self._right(y_NTK.argmax(2), t_NT[:, : y_NTK.shape[1]])}

    def score(self, guess_NT: torch.Tensor, t_NT: torch.Tensor) -> dict[str, float]:
        """The same, of tags that are chosen already."""
        pairs = (
            ([self.tags[tag] for tag in t_T[t_T >= 0].tolist()], [self.tags[tag] for tag in guess_T[t_T >= 0].tolist()])
            for t_T, guess_T in zip(t_NT.cpu(), guess_NT.cpu(), strict=True)
        )
        return {"accuracy": self._right(guess_NT, t_NT), "f1": f1(pairs)}

    def _right(self, guess_NT: torch.Tensor, t_NT: torch.Tensor) -> float:
        return float((guess_NT == t_NT)[t_NT >= 0].double().mean())

    def decode(self, y_NTK: torch.Tensor, x_NT: torch.Tensor) -> list[dict[str, Any]]:
        """The tag of each word, as far as the network reads."""
        return [
            {"tags": [self.tags[tag] for tag in tag_T[: int((x_T != 0).sum())].tolist()]}
            for tag_T, x_T in zip(y_NTK.argmax(2), x_NT, strict=True)
        ]


Target = Annotated[Classes | Values | Tags | NextToken, Field(discriminator="task")]


def fit(table: Table, roles: Roles, train: Rows, encoder: Encoder) -> Target:
    """Learn the target's encoding: classes and tags from all rows, scale from the training rows."""
    if roles.task == "tagging":
        assert encoder.form == "columns"
        words = encoder.first
        assert isinstance(words, WordsEncoder)
        known = {tag for tags in table.tokens(roles.target.name) for tag in tags or []}
        return Tags(name=roles.target.name, words=words.name, tags=sorted(known), length=words.length)
    if roles.task == "classification":
        return Classes(name=roles.target.name, classes=roles.target.classes or [])
    values = table.numbers(roles.target.name)[train]
    mean = float(values.mean())
    return Values(name=roles.target.name, mean=mean, std=float(divisor(values.std(), mean, len(values))))
