"""Collects facts about a column in a first pass over all rows."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.data.intake.missing import SHOWN, Missing
from models.data.intake.texts import Texts
from models.data.missing_words import MISSING
from models.data.table import Layout, part_of
from models.parts import versions
from models.parts.feature import FEATURES, Observation, recognize
from models.parts.markup import is_marked_up
from models.parts.numerals import NUMERAL, WHOLE, all_match, trimmed
from models.parts.plain_numerals import parse
from models.parts.scripts import letters

if TYPE_CHECKING:
    from models.data.intake.summary import Summary

LONGEST_CLASS = 200
_EXACT = 2.0**53
_MOST_STRAYS = 10_000
"""The search for numbers stops after this many different values that are no numbers. This saves time on long texts."""
_FIRST, _FEW = 16, 5
"""Values that are compared first, and distinct values up to which a word among numbers is one class of few."""

_SAMPLE, _SAMPLED_CHARACTERS = 200, 500
"""The scripts of a column are counted in so many of its first distinct strings, and so many characters of each."""


@dataclass(frozen=True)
class Strays:
    """Values that are not numbers in a column of mostly numbers: the first few, with their row numbers."""

    numbers: int
    values: int
    at: list[tuple[int, str]]
    word: str | None = None
    """The word that all of them are, if it is repeated: it may mean a missing value."""


class Evidence:
    """Collects facts about one column, batch by batch. Features recognize the column by its `observation`.

    `plain` describes the column as long as all its cells are plain numbers, as in most tables: nothing else has to be
    known of such a column. None: the cells are looked at as strings from the start.
    """

    def __init__(
        self,
        kind: pa.DataType,
        layout: Layout | None,
        texts: Texts,
        *,
        untyped: bool,
        most: int,
        plain: "Summary | None" = None,
    ) -> None:
        self._type, self._layout, self._texts, self._most = kind, layout, texts, most
        self._looks = untyped and pa.types.is_string(kind)
        self.plain = plain if self._looks and layout is None else None
        self.is_partial = False
        """Whether the first batches were looked at as numbers only, and a later one has other cells."""
        self._whole = True
        self._numbers = 0
        self._strays = 0
        self._strays_at: list[tuple[int, str]] = []
        self._stray: str | None = None
        self._strays_differ = False
        self._spelled: set[str] | None = set()
        self._present = 0
        self._words = 0
        self._distinct: dict[str, int] | None = {} if pa.types.is_string(kind) else None
        self.missing = Missing()
        self._sample: list[str] = []
        self._fitting = [part.model_validate({}) for part in FEATURES]

    def see(self, values: pa.Array, start: int) -> pa.Array:
        """Add a raw batch, whose first row has the number `start`. Returns the cells by which rows are compared."""
        self.missing.see(values, start)
        if self.plain is not None:
            numbers = self._plain_numbers(values)
            if numbers is not None:
                self.plain.see(numbers, start)
                return numbers
            self.plain, self.is_partial = None, self._numbers > 0
        if self._layout is not None or values.null_count == len(values):
            # A table with a column for every key has mostly such.
            return values
        if self._looks:
            self._see_numerals(trimmed(values), start)
        present = values.drop_null()
        if pa.types.is_string(self._type):
            self._see_strings(present)
        elif pa.types.is_floating(self._type):
            self._whole = self._whole and _is_whole(present)
        elif pa.types.is_uint64(self._type) and len(present):
            self._whole = self._whole and pc.max(present).as_py() < 2**63
        return values

    def _plain_numbers(self, values: pa.Array) -> pa.Array | None:
        """The numbers in a batch; None if it has another cell, or if another feature may read its cells."""
        numbers = parse(values)
        if numbers is None:
            numbers = parse(trimmed(values))
        if numbers is None:
            return None
        found = numbers.drop_null().to_numpy()
        if not len(found):
            return numbers
        if not self._numbers and not self._reads_numerals(values.drop_null().unique()):
            return None
        if float(np.abs(found).max()) > _EXACT:
            return None
        self._whole = self._whole and bool((np.floor(found) == found).all())
        self._numbers += len(found)
        if not self._whole:
            self._see_spellings(values)
        return numbers

    def _see_spellings(self, numerals: pa.Array) -> None:
        """Keep the distinct spellings of numbers that are not whole, as long as they are few."""
        for part in (numerals.slice(0, 4 * versions.MOST), numerals):
            if self._spelled is None:
                return
            distinct = part.unique().drop_null()
            few = len(distinct) <= versions.MOST and len(self._spelled) <= versions.MOST
            self._spelled = self._spelled | set(distinct.to_pylist()) if few else None

    def _versions(self) -> tuple[str, str] | None:
        spelled = self._spelled if self.plain is not None else self._distinct
        if self._whole or not spelled or len(spelled) > versions.MOST:
            return None
        stripped = (each.strip() for each in spelled)
        return versions.merged([each for each in stripped if each not in MISSING])

    def _reads_numerals(self, distinct: pa.Array) -> bool:
        """Whether these numerals are numbers, and not, for example, dates such as 20240131."""
        assert self.plain is not None
        fitting = (each.narrowed(distinct) for each in self._fitting if not each.reads_numerals)
        facts = Observation(
            type=self._type,
            numeric=True,
            distinct=len(distinct),
            present=len(distinct),
            fitting=tuple(each for each in fitting if each is not None),
            name=self.plain.name,
        )
        return recognize(facts).reads_numerals

    def _see_numerals(self, values: pa.Array, start: int) -> None:
        strays = pc.indices_nonzero(pc.invert(pc.fill_null(pc.match_substring_regex(values, NUMERAL), True)))
        self._numbers += len(values) - values.null_count - len(strays)
        self._strays += len(strays)
        if len(strays) and not self._strays_differ:
            self._compare(values.take(strays))
        self._looks = self._strays <= _MOST_STRAYS or not self._strays_differ
        for row in strays.slice(0, SHOWN - len(self._strays_at)).to_pylist():
            self._strays_at.append((start + row, values[row].as_py()))
        numbers = values.drop_null()
        if not self._strays and not all_match(numbers, WHOLE):
            numbers = pc.replace_substring_regex(numbers, r"^\+", "")
            self._whole = self._whole and _is_whole(numbers.cast(pa.float64()))

    def _compare(self, strays: pa.Array) -> None:
        """Note whether these values are the same word as those before them."""
        for part in (strays.slice(0, _FIRST), strays):
            words = part.unique().to_pylist()
            self._stray = self._stray or words[0]
            if words != [self._stray]:
                self._strays_differ = True
                return

    def strays(self) -> Strays | None:
        """The values that are not numbers, if at least nine of ten values are numbers; else None.

        Where all of them are one word, half of the values are enough.
        """
        if not self._looks or not self._strays:
            return None
        word = None if self._strays_differ or self._strays < 2 else self._stray
        is_few = self._distinct is not None and len(self._distinct) <= _FEW
        may_be_missing = word is not None and not is_few and not any(map(str.isdigit, word))
        if (1 if may_be_missing else 9) * self._strays > self._numbers:
            return None
        return Strays(self._numbers, self._numbers + self._strays, self._strays_at, word)

    def _see_strings(self, values: pa.Array) -> None:
        self._present += len(values)
        if not len(values):
            return
        counted = values.value_counts()
        distinct, counts = counted.field(0), counted.field(1)
        self._texts.take(distinct)
        if len(self._sample) < _SAMPLE:
            some = distinct.slice(0, _SAMPLE - len(self._sample))
            self._sample += pc.utf8_slice_codeunits(some, 0, _SAMPLED_CHARACTERS).to_pylist()
        narrowed = (each.narrowed(distinct) for each in self._fitting)
        self._fitting = [each for each in narrowed if each is not None]
        if self._distinct is not None:
            words = pc.count_substring_regex(distinct, r"\S+").cast(pa.int64())
            self._words += pc.sum(pc.multiply(words, counts)).as_py()
            if pc.max(pc.binary_length(distinct)).as_py() <= LONGEST_CLASS:
                for value, count in zip(distinct.to_pylist(), counts.to_pylist(), strict=True):
                    self._distinct[value] = self._distinct.get(value, 0) + count
            else:
                self._distinct = None
        if self._distinct is not None and len(self._distinct) > self._most:
            self._distinct = None

    def observation(
        self, name: str, *, declared: bool, named: bool, decimal: Literal[".", ","] | None = None
    ) -> Observation:
        """The collected facts about the column `name`.

        `declared`: the file says that the column holds classes. `named`: the name of the column is typical for a
        target. `decimal`: the decimal mark of the file's numbers, if it is known.
        """
        distinct = None if self._distinct is None else len(self._distinct)
        numeric = self._looks and self._numbers > 0 and not self._strays
        return Observation(
            type=self._type,
            layout=self._layout,
            numeric=numeric,
            distinct=distinct if self.plain is None else self.plain.distinct,
            present=self._present if self.plain is None else self._numbers,
            words=self._words,
            declared=declared,
            named=named,
            decimal=decimal,
            letters=letters(self._sample),
            versions=self._versions() if numeric else None,
            html=sum(map(is_marked_up, self._sample)) / max(1, len(self._sample)),
            fitting=tuple(self._fitting) if self._present else (),
            whole=self._whole,
            name=name,
        )

    @property
    def decimal_marks(self) -> frozenset[Literal[".", ","]]:
        """The decimal marks with which the strings are numbers; none where they were looked at as plain numbers."""
        found = (each.decimal_marks for each in self._fitting) if self._present else ()
        return frozenset[Literal[".", ","]]().union(*found)

    @property
    def has_points(self) -> bool:
        """Whether the column was looked at as plain numbers, and some of them are not whole."""
        return self.plain is not None and not self._whole

    @property
    def spellings(self) -> Collection[str]:
        """The distinct strings of the file; empty if there are too many to keep."""
        return self._distinct or ()

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each string occurs; empty if there are too many to keep."""
        return self._distinct or {}

    @property
    def names_parts(self) -> bool:
        """Whether every value names a part of a split, such as train."""
        return bool(self._distinct) and all(part_of(value) is not None for value in self._distinct or ())


def _is_whole(values: pa.Array) -> bool:
    numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)
    numbers = numbers[~np.isnan(numbers)]
    return bool(np.all((np.abs(numbers) <= _EXACT) & (np.floor(numbers) == numbers)))
