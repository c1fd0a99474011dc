"""Describe one column of a dataset: counts, range, standard deviation, words."""

import math
import re
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from athanor.contract import Column
from models.data.intake.evidence import LONGEST_CLASS
from models.data.intake.missing import Missing
from models.data.intake.text_sample import TextSample
from models.data.intake.texts import Texts
from models.errors import DataError
from models.parts.feature import Feature, Reals

Counts = npt.NDArray[np.int64]

_MOST_WORDS = 1_000_000
_INTEGER_CLASSES = 100
MOST_TAGS = 1000
"""The largest number of distinct words that the description of a column of word lists contains, as possible tags."""
_PIECE = 1 << 17
"""Numbers that are converted to float64 at a time."""
_NUMERAL = re.compile(r"[+-]?\d{1,300}(\.\d*)?")


class Summary:
    """Describes a column batch by batch. `std` is the population standard deviation of all numbers of all rows."""

    def __init__(self, column: Column, feature: Feature, texts: Texts, *, most: int) -> None:
        self.name, self._column, self._feature, self._texts = column.name, column, feature, texts
        self._is_begun = False
        self.missing = Missing()
        self._most = most
        self._counts: dict[str | int | float, int] | None = {} if feature.counts_values else None
        self._count, self._mean, self._squares = 0, 0.0, 0.0
        self._min, self._max = math.inf, -math.inf
        self._longest = 0
        self._sample = TextSample()
        self._has_words, self._vocabulary = False, Counter[str]()
        self._too_many_words = False
        self._has_texts, self._words, self._characters = False, 0, 0
        self._alphabet: set[str] = set()

    def see(self, values: pa.Array, start: int) -> None:
        """Add a batch of cells that the feature read. Its first row has the number `start` in the dataset.

        Raises DataError for infinities.
        """
        self.missing.see(values, start)
        present = values.drop_null() if values.null_count else values
        if self._is_begun and not len(present):
            # A table with a column for every key has mostly such.
            return
        self._is_begun = True
        # The texts are looked at once for each distinct one. Lists of words have no distinct values in Arrow.
        is_text = pa.types.is_string(present.type)
        distinct, counts = present, None
        if is_text or self._counts is not None:
            counted = present.value_counts()
            if self._counts is not None:
                self._tally(counted)
            if is_text:
                distinct, counts = counted.field(0), counted.field(1).to_numpy()
        if (numbers := self._feature.numbers(present, self._column)) is not None:
            self._see_numbers(numbers, values, start)
        if is_text and counts is not None:
            distinct, counts = self._sample.take(distinct, counts)
        if (texts := self._feature.characters(distinct)) is not None:
            self._has_texts = True
            self._characters += pc.sum(pc.utf8_length(present).cast(pa.int64())).as_py() or 0
            self._alphabet.update("".join(texts))
        if (words := self._feature.words(distinct)) is not None:
            self._has_words = True
            self._see_words(words, counts)

    def see_counted(self, values: pa.Array, counts: Sequence[int], missing: Missing) -> bool:
        """Take classes and the number of rows of each, in place of all batches.

        False if the feature reads some as missing: the rows of those are not known.
        """
        if self._counts is None or values.null_count:
            return False
        self.missing = missing
        for value, count in zip(values.to_pylist(), counts, strict=True):
            self._counts[value] = self._counts.get(value, 0) + count
        return True

    def _tally(self, counted: pa.StructArray) -> None:
        assert self._counts is not None
        values, counts = counted.field(0), counted.field(1)
        if pa.types.is_string(values.type) and len(values) and pc.max(pc.binary_length(values)).as_py() > LONGEST_CLASS:
            self._counts = None
            return
        for value, count in zip(values.to_pylist(), counts.to_pylist(), strict=True):
            self._counts[value] = self._counts.get(value, 0) + count
        if len(self._counts) > self._most:
            self._counts = None

    def _see_numbers(self, numbers: Reals, values: pa.Array, start: int) -> None:
        if not numbers.size:
            return
        total = _sum(numbers)
        # A sum of finite numbers may be infinite, too, but then it takes a second look.
        if not math.isfinite(total) and (wrong := np.flatnonzero(~np.isfinite(numbers))).size:
            width = numbers.size // (len(values) - values.null_count)
            row = start + pc.indices_nonzero(values.is_valid())[int(wrong[0]) // width].as_py()
            found = numbers[wrong[0]]
            raise DataError(
                f"Row {row}, column {self.name!r}: {found} is not a finite number. Replace it or leave it out."
            )
        self._min, self._max = min(self._min, float(numbers.min())), max(self._max, float(numbers.max()))
        mean, count = total / numbers.size, self._count + numbers.size
        apart = mean - self._mean
        self._squares += _sum(numbers, mean, squared=True) + apart * apart * self._count * (numbers.size / count)
        self._mean += apart * numbers.size / count
        self._count = count

    def _see_words(self, rows: Sequence[Sequence[str]], counts: Counts | None) -> None:
        self._longest = max(self._longest, max(map(len, rows), default=0))
        self._words += _total(rows, counts)
        if not self._too_many_words:
            before = len(self._vocabulary)
            self._vocabulary.update(chain.from_iterable(rows))
            for words, count in zip(rows, counts.tolist() if counts is not None else (), strict=False):
                if count > 1:
                    self._vocabulary.update({word: said * (count - 1) for word, said in Counter(words).items()})
            may_keep = self._texts.may_keep(len(self._vocabulary) - before)
            if not may_keep or len(self._vocabulary) > _MOST_WORDS:
                self._too_many_words = True
                self._vocabulary.clear()

    @property
    def has_numbers(self) -> bool:
        """Whether the column is read as numbers."""
        return self._count > 0

    def merged(self, spellings: Collection[str]) -> list[list[str]]:
        """Those of these strings that are read as one value, where a column is of classes."""
        if self._feature.names != "classes" or not spellings:
            return []
        ordered = sorted(spellings)
        alike: dict[str, list[str]] = {}
        for value, spelling in zip(
            self._feature.read(pa.array(ordered, pa.string()), self._column).to_pylist(), ordered, strict=True
        ):
            if value is not None:
                alike.setdefault(str(value), []).append(spelling)
        return [each for each in alike.values() if len(each) > 1]

    @property
    def distinct(self) -> int | None:
        return None if self._counts is None else len(self._counts)

    def settle(self, column: Column) -> None:
        """Describe `column`, which was recognized after the last batch, in place of the one that was expected."""
        self._column = column
        if column.integer and self._counts is not None:
            self._counts = {int(value): count for value, count in self._counts.items()}

    def column(self) -> Column:
        """The description. Call it after the last batch."""
        update: dict[str, Any] = {"missing": self.missing.count, "distinct": self.distinct}
        if self._count:
            update |= {"min": self._min, "max": self._max, "mean": self._mean}
            update["std"] = math.sqrt(self._squares / self._count)
        vocabulary = None if self._too_many_words else self._vocabulary
        if self._has_words:
            update |= {"max_length": self._longest, "vocabulary": None, "unseen": None}
        if vocabulary is not None and self._has_words:
            # An extra word is learned if it is not rare, and is not missed where it is.
            counted = {word: count for word, count in vocabulary.items() if not self._feature.is_extra(word)}
            least = 2 if self._sample.is_whole else 1
            extra = sum(1 for word, count in vocabulary.items() if count >= least and word not in counted)
            once = sum(1 for count in counted.values() if count == 1)
            update["vocabulary"] = self._sample.distinct(len(counted) + extra)
            update["unseen"] = once / max(1, sum(counted.values()))
        if self._has_texts:
            words = self._sample.total(self._words)
            update |= {"words": words, "characters": self._characters, "alphabet": len(self._alphabet)}
            update |= {"sampled": None if self._sample.is_whole else self._sample.rows}
        return self._column.model_copy(update=update | self._classes(vocabulary))

    def _classes(self, vocabulary: Collection[str] | None) -> dict[str, Any]:
        """The classes and the rows of each, if the feature names classes and they are few."""
        match self._feature.names:
            case "words" if vocabulary is not None and len(vocabulary) <= MOST_TAGS:
                short = max(map(len, vocabulary), default=0) <= LONGEST_CLASS
                return {"classes": sorted(vocabulary) if short else None}
            case "classes" | "whole numbers" if self._counts is not None:
                if self._feature.names == "whole numbers" and not (
                    self._column.integer and len(self._counts) <= _INTEGER_CLASSES
                ):
                    return {}
                counts = {str(value): count for value, count in self._counts.items()}
                classes = in_order(list(counts))
                return {"classes": classes, "counts": [counts[name] for name in classes]}
        return {}


def _total(rows: Sequence[Sequence[str]], counts: Counts | None) -> int:
    """The lengths of all rows together, each as often as `counts` says."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    return int(lengths.sum() if counts is None else lengths @ counts)


def _sum(numbers: Reals, mean: float = 0.0, *, squared: bool = False) -> float:
    """The sum of numbers [N], or of their squared distances from `mean`, without a float64 copy of all of them.

    It is added up in the order of numpy.sum, so it has the same bits.
    """
    if len(numbers) > _PIECE:
        half = len(numbers) // 2 // 8 * 8
        return _sum(numbers[:half], mean, squared=squared) + _sum(numbers[half:], mean, squared=squared)
    piece = numbers.astype(np.float64, copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.square(piece - mean).sum() if squared else piece.sum())


def in_order(names: list[str]) -> list[str]:
    """Sorted as numbers if all are numbers, else as strings: 2 before 10, but b1 after a2."""
    if all(_NUMERAL.fullmatch(name) for name in names):
        return sorted(names, key=lambda name: (float(name), name))
    return sorted(names)
