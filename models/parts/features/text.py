"""Texts, split into numbered words."""

from collections import Counter
from collections.abc import Container, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from athanor.contract import Column
from models.data.table import Table
from models.parts.feature import CellError, Encoder, Feature, Observation, Rows, SequenceEncoder, is_text, json_kind
from models.parts.inputs import InputKind, Inputs
from models.parts.oddity import SHOWN, Oddity, distinct
from models.parts.tokenizers import AnyTokenizer
from models.parts.tokenizers.words import Words

MAX_WORDS = 512
"""Longer texts are cut, because a few long rows would set the cost of all rows."""

MANY_UNKNOWN = 0.2
"""The share of unknown words in a prediction from which it is worth a warning."""

PAD, UNKNOWN, FIRST = 0, 1, 2
"""The word numbered FIRST is the first of the vocabulary."""


class WordsEncoder(SequenceEncoder):
    """Words to numbers: 0 is padding, 1 is any word that is not in the training rows."""

    max_length: ClassVar[int] = MAX_WORDS

    kind: Literal["words"] = "words"
    tokenizer: AnyTokenizer | None = Field(description="cuts a row into words; null: rows are lists of words")
    length: int
    words: list[str] = Field(description="the word numbered i + 2, most frequent first")
    rare: int = Field(description="number of the first word that was seen once")

    @property
    def reads(self) -> str:
        return "tokens" if self.tokenizer is None else "text"

    def for_column(self, column: Column) -> Encoder | str:
        """Texts and lists of words both fit. A text uses the parent's tokenizer, or the default if it had none."""
        if column.kind not in ("text", "tokens"):
            return super().for_column(column)
        cut = (self.tokenizer or Words()) if column.kind == "text" else None
        return self.model_copy(update={"name": column.name, "tokenizer": cut})

    def inputs(self) -> Inputs:
        return Inputs("text", (self.length,), vocabulary=len(self.words) + FIRST, rare=self.rare)

    def lengths(self, table: Table) -> list[int]:
        return [len(words) for words in words_of(table, self.name, self.tokenizer)]

    def encode(self, table: Table, length: int | None = None) -> npt.NDArray[np.generic]:
        """x_NT, int64, cut at `length` words (default: `self.length`). A row without words is one unknown word."""
        index, length = {word: at for at, word in enumerate(self.words, FIRST)}, length or self.length
        x_NT = np.zeros((table.rows, length), np.int64)
        for row, words in enumerate(words_of(table, self.name, self.tokenizer)):
            numbers = [index.get(word, UNKNOWN) for word in words[:length]] or [UNKNOWN]
            x_NT[row, : len(numbers)] = numbers
        return x_NT

    def odd(self, table: Table, column: Column) -> list[Oddity]:
        """Missing values, and words that no training row has, if there are many."""
        rows = words_of(table, self.name, self.tokenizer)
        return [*super().odd(table, column), unknown_words(rows, set(self.words))]

    def stands_in(self) -> str:
        return "an empty text"


def unknown_words(rows: Sequence[list[str]], known: Container[str], unit: str = "words") -> Oddity:
    """The words of these rows that are not known."""
    unknown = [(row, word) for row, words in enumerate(rows) for word in words if word not in known]
    return Oddity(
        "unknown_words",
        "are in no training row; they tell the network nothing",
        "check the language, the spelling and the encoding of these rows, or train on rows that are more like them",
        len(unknown),
        sum(map(len, rows)),
        tuple(dict.fromkeys(row for row, _ in unknown))[:SHOWN],
        unit,
        distinct([word for _, word in unknown]),
        least=MANY_UNKNOWN,
    )


def words_of(table: Table, name: str, tokenizer: Any) -> list[list[str]]:
    """The words of every row of a column."""
    if tokenizer is None:
        return [words or [] for words in table.tokens(name)]
    return [tokenizer.tokens(text or "") for text in table.strings(name)]


def fit_words(table: Table, name: str, tokenizer: Any, train: Rows) -> WordsEncoder:
    """A vocabulary from the training rows, the most frequent word first."""
    rows = words_of(table, name, tokenizer)
    counts = Counter(word for row in train for word in rows[row])
    # Ties are sorted by spelling, so that the order of the rows does not matter.
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    # From all rows: if training rows set the length, a longer test sentence would be cut before it is measured.
    length = min(MAX_WORDS, max(map(len, rows), default=1) or 1)
    rare = FIRST + sum(1 for word in ordered if counts[word] > 1)
    return WordsEncoder(name=name, tokenizer=tokenizer, length=length, words=ordered, rare=rare)


def expect_words(column: Column) -> Inputs:
    """The tensor to expect from the description of a column of words.

    Where there are too many distinct words to count, each word of a text may be another.
    """
    distinct = column.vocabulary or column.words or 0
    return Inputs("text", (min(MAX_WORDS, column.max_length or 1),), vocabulary=distinct + FIRST)


class Text(Feature):
    """A sentence or a longer text, cut into words by its tokenizer."""

    kind: Literal["text"] = "text"
    tokenizer: AnyTokenizer = Field(Words(), description="how a text is cut into words")

    precedence: ClassVar[int] = 50
    can_be_missing: ClassVar[bool] = False

    @classmethod
    def recognize(cls, seen: Observation) -> Feature | None:
        return cls() if pa.types.is_string(seen.type) else None

    def read(self, values: pa.Array, column: Column) -> pa.Array:
        return values if pa.types.is_string(values.type) else values.cast(pa.string())

    def cells(self, values: Sequence[Any], column: Column) -> pa.Array:
        for row, value in enumerate(values):
            if not (value is None or is_text(value)):
                raise CellError(row, f"must be a string; this is {json_kind(value)}")
        return pa.array(values, pa.string())

    def words(self, values: pa.Array) -> list[list[str]] | None:
        return [self.tokenizer.tokens(text) for text in values.to_pylist()]

    def characters(self, values: pa.Array) -> list[str] | None:
        texts: list[str] = values.to_pylist()
        return texts

    def input_kind(self, column: Column, accepts: frozenset[InputKind]) -> InputKind:
        return "text"

    def expect(self, column: Column, accepts: frozenset[InputKind]) -> Inputs:
        return expect_words(column)

    def fit(self, table: Table, column: Column, train: Rows, accepts: frozenset[InputKind]) -> WordsEncoder:
        return fit_words(table, column.name, self.tokenizer, train)
