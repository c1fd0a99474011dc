"""One column of a dataset described: counts, range, spread, words."""

import math
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from athanor.contract import Column
from models.data.intake.evidence import LONGEST_CLASS, SHOWN, Conversion
from models.data.table import Layout
from models.errors import DataError
from models.parts.tokenizers.words import tokenize

_MOST_WORDS = 1_000_000
_INTEGER_CLASSES = 100
MOST_TAGS = 1000
"""Distinct words up to which a column of lists of words names them all: they may be tags."""
_NUMERAL = re.compile(r"[+-]?\d{1,300}(\.\d*)?")


class Summary:
    """Sees every kept batch of a column. `std` is that of the whole population, over every number of every row."""

    def __init__(self, name: str, conversion: Conversion, layout: Layout | None, *, most: int) -> None:
        self.name, self.kind, self.layout = name, conversion.kind, layout
        self.integer = pa.types.is_integer(conversion.type)
        self.missing = 0
        self.missing_at: list[int] = []
        self._most = most
        self._counts: dict[str | int | float, int] | None = {} if layout is None and self.kind != "tokens" else None
        self._count, self._mean, self._squares = 0, 0.0, 0.0
        self._min, self._max = math.inf, -math.inf
        self._longest = 0
        self._vocabulary: set[str] | None = set()
        self._words, self._characters = 0, 0
        self._alphabet: set[str] = set()

    def see(self, values: pa.Array, start: int) -> None:
        """Learn from a batch whose first row is number `start` of the kept rows. Raises DataError for infinities."""
        if values.null_count:
            self.missing += values.null_count
            if len(self.missing_at) < SHOWN:
                rows = pc.indices_nonzero(pc.is_null(values)).slice(0, SHOWN - len(self.missing_at))
                self.missing_at.extend(start + row for row in rows.to_pylist())
        present = values.drop_null() if values.null_count else values
        if self._counts is not None:
            self._tally(present)
        if self.kind == "number":
            self._see_numbers(present.to_numpy(zero_copy_only=False).astype(np.float64), values, start)
        elif self.layout is not None:
            width = int(np.prod(self.layout.shape))
            flat = np.frombuffer(present.buffers()[1], self.layout.dtype)
            flat = flat[present.offset * width : (present.offset + len(present)) * width]
            self._see_numbers(flat.astype(np.float64), values, start)
        elif self.kind == "tokens":
            self._see_words(present.to_pylist())
        elif self.kind == "text":
            texts = present.to_pylist()
            self._characters += sum(map(len, texts))
            self._alphabet.update(*texts)
            self._see_words([tokenize(text) for text in texts])

    def _tally(self, values: pa.Array) -> None:
        assert self._counts is not None
        if pa.types.is_string(values.type) and len(values) and pc.max(pc.binary_length(values)).as_py() > LONGEST_CLASS:
            self._counts = None
            return
        counted = pc.value_counts(values)
        for value, count in zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True):
            self._counts[value] = self._counts.get(value, 0) + count
        if len(self._counts) > self._most:
            self._counts = None

    def _see_numbers(self, numbers: npt.NDArray[np.float64], values: pa.Array, start: int) -> None:
        if not numbers.size:
            return
        wrong = np.flatnonzero(~np.isfinite(numbers))
        if wrong.size:
            width = numbers.size // (len(values) - values.null_count)
            row = start + pc.indices_nonzero(values.is_valid())[int(wrong[0]) // width].as_py()
            found = numbers[wrong[0]]
            raise DataError(
                f"Row {row}, column {self.name!r}: {found} is not a finite number. Replace it or leave it out."
            )
        self._min, self._max = min(self._min, float(numbers.min())), max(self._max, float(numbers.max()))
        mean, count = float(numbers.mean()), self._count + numbers.size
        apart = mean - self._mean
        self._squares += float(np.square(numbers - mean).sum()) + apart * apart * self._count * (numbers.size / count)
        self._mean += apart * numbers.size / count
        self._count = count

    def _see_words(self, rows: Sequence[Sequence[str]]) -> None:
        self._longest = max(self._longest, max(map(len, rows), default=0))
        self._words += sum(map(len, rows))
        if self._vocabulary is not None:
            self._vocabulary.update(*rows)
            if len(self._vocabulary) > _MOST_WORDS:
                self._vocabulary = None

    @property
    def distinct(self) -> int | None:
        return None if self._counts is None else len(self._counts)

    def column(self) -> Column:
        """The description, once all batches were seen."""
        column = Column(name=self.name, kind=self.kind, missing=self.missing, distinct=self.distinct)
        if self.layout is not None:
            column.shape = list(self.layout.shape)
        if self._count:
            column.min, column.max, column.mean = self._min, self._max, self._mean
            column.std = math.sqrt(self._squares / self._count)
        if self.kind == "number":
            column.integer = self.integer
        if self.kind in ("text", "tokens"):
            column.max_length = self._longest
            column.vocabulary = None if self._vocabulary is None else len(self._vocabulary)
        if self.kind == "text":
            column.words, column.characters, column.alphabet = self._words, self._characters, len(self._alphabet)
        if self.kind == "tokens" and self._vocabulary is not None and len(self._vocabulary) <= MOST_TAGS:
            named = sorted(self._vocabulary)
            column.classes = named if max(map(len, named), default=0) <= LONGEST_CLASS else None
        few = self.kind == "category" or (self.integer and len(self._counts or {}) <= _INTEGER_CLASSES)
        if few and self._counts is not None:
            classes = in_order([str(value) for value in self._counts])
            counts = {str(value): count for value, count in self._counts.items()}
            column.classes, column.counts = classes, [counts[name] for name in classes]
        return column


def in_order(names: list[str]) -> list[str]:
    """Sorted as numbers where all are, else as strings: 2 before 10, but b1 after a2."""
    if all(_NUMERAL.fullmatch(name) for name in names):
        return sorted(names, key=lambda name: (float(name), name))
    return sorted(names)
