"""The next token of a text.

Shape letters: N windows, T tokens of a window, n tokens of all windows, K tokens of the vocabulary.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import torch

from athanor.contract import Column
from models.data.table import Table
from models.errors import SpecError
from models.parts.architecture import AnswerLevel, Inputs
from models.parts.metrics.accuracy import Accuracy
from models.parts.metrics.perplexity import Perplexity
from models.parts.target import FittedTarget, Language, Pairs, Rows, Target

SPECIAL = 3
"""The numbers 0 to 2 are special: padding, the unknown token, and the end of a document."""


class FittedNextToken(FittedTarget):
    """The next token at every position of a window."""

    task: Literal["language_modeling"] = "language_modeling"
    outputs: int

    def encode(self, table: Table, rows: Rows) -> torch.Tensor:
        raise AssertionError("the target is the text itself")

    def decode(self, y_NTK: torch.Tensor, words_N: Sequence[int]) -> list[dict[str, Any]]:
        raise AssertionError("a language model is asked to go on, not to answer")

    def baseline(self, train: Pairs, part: Pairs) -> dict[str, float]:
        """The metrics of predicting each token by its frequency."""
        # Laplace smoothing: tokens that training lacks get a small probability instead of 0.
        counts_K = 1 + torch.bincount(train.t[train.t >= 0], minlength=self.outputs)
        t_n = part.t[part.t >= 0]
        nats_n = -torch.log(counts_K / counts_K.sum())[t_n]
        right = (t_n == counts_K.argmax()).sum()
        # Computed directly: as outputs, these would be tokens × vocabulary numbers.
        tokens = float(len(t_n))
        found = {
            "accuracy": Accuracy().conclude([tokens, float(right)], self.meaning),
            "perplexity": Perplexity().conclude([tokens, float(nats_n.double().sum())], self.meaning),
        }
        return {name: value for name, value in found.items() if value is not None}

    def reuse(self, column: Column, words: str) -> Self | None:
        return self


class NextToken(Target):
    """The next token at every position of a text. The text is its own target."""

    task: ClassVar[str] = "language_modeling"
    level: ClassVar[AnswerLevel] = "token"
    fitted: ClassVar[type[FittedTarget]] = FittedNextToken
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "perplexity")
    losses: ClassVar[tuple[str, ...]] = ("cross_entropy",)
    baseline_kind: ClassVar[str] = "unigram"
    outputs_are: ClassVar[str] = "one number for each token that may come next; number i + 3 is `encoder.vocabulary[i]`"
    has_classes: ClassVar[bool] = True
    self_supervised: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ("tokens", "documents", "context")

    kind: Literal["next_token"] = "next_token"

    @classmethod
    def check(cls, column: Column) -> None:
        if column.kind != "text":
            raise SpecError(
                "/dataset/input",
                f"a language is learned from a column of text; '{column.name}' is a {column.kind} column",
                code="wrong_column",
            )

    @classmethod
    def outputs(cls, column: Column, language: Language | None) -> int:
        assert language is not None
        known, _ = language.tokenizer.counted(column)
        # A stream has a line break between rows, which is one more token.
        return known + SPECIAL + (1 if language.documents == "stream" else 0)

    @classmethod
    def fit(cls, table: Table, column: Column, train: Rows, inputs: Inputs, words: str) -> FittedNextToken:
        return FittedNextToken(outputs=inputs.vocabulary)
