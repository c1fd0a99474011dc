"""A tag for each word.

Shape letters: N rows, T words, n words of all rows, V words of the vocabulary, K tags.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field

from athanor.contract import Column
from models.data.table import Table
from models.errors import DataError, SpecError
from models.parts.architecture import AnswerLevel, Inputs
from models.parts.metric import Meaning
from models.parts.target import FittedTarget, Language, Pairs, Rows, Target


class FittedTags(FittedTarget):
    """A tag for each word of a row."""

    task: Literal["tagging"] = "tagging"
    name: str
    words: str = Field(description="the column of words the tags belong to")
    tags: list[str]
    length: int

    @property
    def outputs(self) -> int:
        return len(self.tags)

    @property
    def column(self) -> str:
        return self.name

    @property
    def meaning(self) -> Meaning:
        return Meaning(names=tuple(self.tags))

    def known(self, table: Table) -> Rows:
        """Rows with a known tag for each word."""
        tags, rows = set(self.tags), zip(table.tokens(self.words), table.tokens(self.name), strict=True)
        return np.flatnonzero(
            [bool(here) and len(here or []) == len(words or []) and tags.issuperset(here or []) for words, here in rows]
        )

    def encode(self, table: Table, rows: Rows) -> torch.Tensor:
        """t_NT, int64; -1 for padding. Raises DataError for a row with different numbers of tags and words."""
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

    def decode(self, y_NTK: torch.Tensor, words_N: Sequence[int]) -> list[dict[str, Any]]:
        """The tag of each word that the network read. A row without words has no tags."""
        return [
            {"tags": [self.tags[tag] for tag in tag_T[:words].tolist()]}
            for tag_T, words in zip(y_NTK.argmax(2), words_N, strict=True)
        ]

    def baseline(self, train: Pairs, part: Pairs) -> dict[str, float]:
        """The metrics of predicting each word's most common tag."""
        guess_NT = _commonest_tags(train, part, self.outputs)
        # One-hot outputs, with one byte each to save memory.
        y_NTK = torch.zeros(*guess_NT.shape, self.outputs, dtype=torch.int8)
        return self.measure(y_NTK.scatter_(2, guess_NT.unsqueeze(2), 1), part.t)

    def reuse(self, column: Column, words: str) -> Self | None:
        return self.model_copy(update={"name": column.name, "words": words}) if self.tags == column.classes else None


class Tags(Target):
    """A tag for each word of a list of words."""

    task: ClassVar[str] = "tagging"
    level: ClassVar[AnswerLevel] = "word"
    fitted: ClassVar[type[FittedTarget]] = FittedTags
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "f1")
    losses: ClassVar[tuple[str, ...]] = ("cross_entropy",)
    # The validation loss of a tagger rises long before its F1 stops improving.
    series: ClassVar[str] = "val/f1"
    baseline_kind: ClassVar[str] = "unigram"
    outputs_are: ClassVar[str] = "one number per tag for each word, in the order of `target.tags`"
    has_classes: ClassVar[bool] = True

    kind: Literal["tags"] = "tags"

    @classmethod
    def recognize(cls, column: Column) -> float:
        return 1.0 if column.kind == "tokens" else 0.0

    @classmethod
    def check(cls, column: Column) -> None:
        if column.kind != "tokens":
            raise SpecError(
                "/dataset/task",
                f"'{column.name}' is a {column.kind} column; tagging needs a list of tags in each row",
                code="wrong_task",
            )

    @classmethod
    def check_inputs(cls, inputs: Sequence[Column]) -> None:
        if inputs[0].kind != "tokens":
            raise SpecError(
                "/dataset/input", f"'{inputs[0].name}' is not a list of words, as long as its tags", code="wrong_column"
            )

    @classmethod
    def outputs(cls, column: Column, language: Language | None) -> int:
        return column.vocabulary or 1

    @classmethod
    def fit(cls, table: Table, column: Column, train: Rows, inputs: Inputs, words: str) -> FittedTags:
        known = {tag for tags in table.tokens(column.name) for tag in tags or []}
        return FittedTags(name=column.name, words=words, tags=sorted(known), length=inputs.shape[0])


def _commonest_tags(train: Pairs, part: Pairs, tags: int) -> torch.Tensor:
    """Each word's most common tag, guess_NT; for words that are not in training, the most common tag of all."""
    assert isinstance(train.x, torch.Tensor) and isinstance(part.x, torch.Tensor)
    x_n, t_n = train.x[train.t >= 0], train.t[train.t >= 0]
    words = 1 + int(max(train.x.amax(), part.x.amax()))
    counts_VK = torch.zeros(words, tags, dtype=torch.int64)
    counts_VK.view(-1).index_add_(0, x_n * tags + t_n, torch.ones_like(t_n))
    tag_V = counts_VK.argmax(1).where(counts_VK.any(1), counts_VK.sum(0).argmax())
    return tag_V[part.x]
