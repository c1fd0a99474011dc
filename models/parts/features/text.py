"""Texts, split into numbered words."""

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, JsonValue

from athanor.contract import Column
from models.data.table import Table
from models.parts.feature import CellError, Encoder, Feature, Observation, Rows, SequenceEncoder, is_text, json_kind
from models.parts.inputs import UNKNOWN, InputKind, Inputs
from models.parts.oddity import SHOWN, Oddity, distinct
from models.parts.scripts import UNSPACED
from models.parts.tokenizers import AnyTokenizer
from models.parts.tokenizers.words import Words

MAX_WORDS = 512
"""Longer texts are cut by default, because a few long rows would set the cost of all rows."""
LONGEST = 8192

_UNSPACED_SHARE = 0.3
_MARKED_UP = 0.1
"""The shares of letters and of texts from which a column is read in another way than English is."""

MANY_UNKNOWN = 0.2
"""The share of unknown words in a prediction from which it is worth a warning."""

FIRST = 2
"""The word numbered FIRST is the first of the vocabulary."""


class WordsEncoder(SequenceEncoder):
    """Words to numbers: 0 is padding, 1 is any word that is not in the training rows."""

    kind: Literal["words"] = "words"
    tokenizer: AnyTokenizer | None = Field(description="cuts a row into words; null: rows are lists of words")
    max_length: int = Field(MAX_WORDS, description="words that are read of a row; further ones are cut off")
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
            said = [word for word in words if word in index or not _is_extra(self.tokenizer, word)]
            numbers = [index.get(word, UNKNOWN) for word in said[:length]] or [UNKNOWN]
            x_NT[row, : len(numbers)] = numbers
        return x_NT

    def odd(self, table: Table, column: Column) -> list[Oddity]:
        """Missing values, empty texts, texts that are cut, and words that no training row has, if there are many."""
        rows = words_of(table, self.name, self.tokenizer)
        given = table.data[self.name].combine_chunks().is_valid().to_pylist()
        empty = Oddity.of_rows(
            "empty_texts",
            "have no words",
            "give the texts that are known; what a network says of an empty one means little",
            [at for at, (words, is_given) in enumerate(zip(rows, given, strict=True)) if is_given and not words],
            len(rows),
        )
        cut = Oddity.of_rows(
            "cut_texts",
            f"have more than {self.length:,} words or characters, and are cut after these",
            "raise max_length of the column's feature if what follows matters",
            [at for at, words in enumerate(rows) if len(words) > self.length],
            len(rows),
        )
        return [*super().odd(table, column), empty, cut, unknown_words(rows, set(self.words))]

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
    return _cut(tokenizer, table.strings(name))


def _cut(tokenizer: Any, texts: Iterable[str | None]) -> list[list[str]]:
    """The tokens of each text. Equal tokens are one object: a pair of Han letters alone would take 80 bytes."""
    known: dict[str, str] = {}
    return [[known.setdefault(token, token) for token in tokenizer.tokens(text or "")] for text in texts]


def _is_extra(tokenizer: Any, word: str) -> bool:
    return tokenizer is not None and tokenizer.is_extra(word)


def fit_words(
    table: Table, name: str, tokenizer: Any, train: Rows, max_length: int = MAX_WORDS, min_count: int = 1
) -> WordsEncoder:
    """A vocabulary from the training rows, the most frequent word first."""
    if tokenizer is not None and tokenizer.learns:
        texts = table.strings(name)
        tokenizer = tokenizer.fit(texts[row] or "" for row in train)
    rows = words_of(table, name, tokenizer)
    counts = Counter(word for row in train for word in rows[row])
    # Ties are sorted by spelling, so that the order of the rows does not matter.
    kept = [
        word for word, count in counts.items() if count >= min_count and (count > 1 or not _is_extra(tokenizer, word))
    ]
    ordered = sorted(kept, key=lambda word: (-counts[word], word))
    # From all rows: if training rows set the length, a longer test sentence would be cut before it is measured.
    known = set(kept)
    longest = max((sum(word in known or not _is_extra(tokenizer, word) for word in row) for row in rows), default=1)
    length = min(max_length, longest or 1)
    rare = FIRST + sum(1 for word in ordered if counts[word] > 1)
    return WordsEncoder(name=name, tokenizer=tokenizer, max_length=max_length, length=length, words=ordered, rare=rare)


def expect_words(column: Column, distinct: int | None = None, max_length: int = MAX_WORDS) -> Inputs:
    """The tensor to expect from the description of a column of words, of which at most `distinct` differ.

    Where there are too many distinct words to count, each word of a text may be another.
    """
    if distinct is None:
        distinct = column.vocabulary or column.words or 0
    return Inputs("text", (min(max_length, column.max_length or 1),), vocabulary=distinct + FIRST)


def normalized(texts: pa.Array) -> pa.Array:
    """The strings in Unicode's normal form NFC: a letter and its mark are one character where Unicode has one."""
    # Texts that are ASCII are in every normal form.
    if pc.all(pc.string_is_ascii(texts)).as_py() in (True, None):
        return texts
    return pc.utf8_normalize(texts, "NFC")


class Text(Feature):
    """A sentence or a longer text, cut into words by its tokenizer."""

    kind: Literal["text"] = "text"
    tokenizer: AnyTokenizer = Field(Words(), description="how a text is cut into words")
    max_length: int = Field(
        MAX_WORDS, ge=1, le=LONGEST, description="tokens that are read of a row; further ones are cut off"
    )
    min_count: int = Field(
        1, ge=1, le=1_000_000, description="a token that occurs less often in the training part counts as unknown"
    )

    precedence: ClassVar[int] = 50
    can_be_missing: ClassVar[bool] = False

    @classmethod
    def recognize(cls, seen: Observation) -> Feature | None:
        if not pa.types.is_string(seen.type):
            return None
        return cls(tokenizer=Words(html=seen.html >= _MARKED_UP))

    def guess(self, seen: Observation) -> str | None:
        said = []
        unspaced = {script: count for script, count in seen.letters.items() if script in UNSPACED}
        share = sum(unspaced.values()) / max(1, sum(seen.letters.values()))
        if share >= _UNSPACED_SHARE:
            said.append(
                f"{share:.0%} of the letters are {' and '.join(list(unspaced)[:2])}, without spaces between words: "
                "characters and their pairs are the tokens; the tokenizers characters and bpe are others"
            )
        if seen.html >= _MARKED_UP:
            said.append(
                f"{seen.html:.0%} of the texts have HTML tags, which are left out; html = false of the tokenizer "
                "keeps them"
            )
        return "; ".join(said) or None

    def settings(self) -> dict[str, JsonValue]:
        told = super().settings()
        if "tokenizer" in told:
            # Without its kind, which is a default too, nobody could read it.
            told["tokenizer"] = {"kind": self.tokenizer.kind, **self.tokenizer.model_dump(exclude_defaults=True)}
        return told

    def read(self, values: pa.Array, column: Column) -> pa.Array:
        texts = values if pa.types.is_string(values.type) else values.cast(pa.string())
        return normalized(texts)

    def cells(self, values: Sequence[Any], column: Column) -> pa.Array:
        for row, value in enumerate(values):
            if not (value is None or is_text(value)):
                raise CellError(row, f"must be a string; this is {json_kind(value)}")
        return pa.array(values, pa.string())

    def words(self, values: pa.Array) -> list[list[str]] | None:
        return _cut(self.tokenizer, values.to_pylist())

    def is_extra(self, word: str) -> bool:
        return self.tokenizer.is_extra(word)

    def characters(self, values: pa.Array) -> list[str] | None:
        texts: list[str] = values.to_pylist()
        return texts

    def input_kind(self, column: Column, accepts: frozenset[InputKind]) -> InputKind:
        return "text"

    def expect(self, column: Column, accepts: frozenset[InputKind]) -> Inputs:
        distinct = self.tokenizer.counted(column)[0] if self.tokenizer.learns else None
        return expect_words(column, distinct, self.max_length)

    def fit(self, table: Table, column: Column, train: Rows, accepts: frozenset[InputKind]) -> WordsEncoder:
        return fit_words(table, column.name, self.tokenizer, train, self.max_length, self.min_count)
