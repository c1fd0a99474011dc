"""Truth values: 0 or 1."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, PrivateAttr, model_validator

from athanor.contract import Column
from models.data.missing_words import ANSWERS, MISSING
from models.data.table import Table
from models.parts.feature import CellError, Encoder, Feature, Naming, Observation, Rows, is_text, json_kind, shown
from models.parts.inputs import InputKind, Inputs
from models.parts.numerals import LONGEST, first_word

PAIRS = (
    ("true", "false"),
    ("yes", "no"),
    ("y", "n"),
    ("t", "f"),
    ("on", "off"),
    ("1", "0"),
    ("wahr", "falsch"),
    ("ja", "nein"),
    ("ja", "nee"),
    ("ja", "nej"),
    ("oui", "non"),
    ("vrai", "faux"),
    ("sí", "no"),
    ("si", "no"),
    ("verdadero", "falso"),
    ("verdadeiro", "falso"),
    ("vero", "falso"),
    ("sim", "não"),
    ("sim", "nao"),
    ("tak", "nie"),
    ("evet", "hayır"),  # noqa: RUF001 -- Turkish
    ("да", "нет"),
    ("истина", "ложь"),
    ("是", "否"),
    ("真", "假"),
    ("对", "错"),
    ("はい", "いいえ"),
    ("예", "아니오"),
    ("네", "아니요"),
    ("نعم", "لا"),
    ("हाँ", "नहीं"),
)
"""Words for true and false, in lower case."""

DIGITS = {"1": True, "0": False, "1.0": True, "0.0": False}
"""They are truth values beside words, or if a user says so: a column of them alone holds numbers."""
THERE, NOT_THERE = "有", "无"
"""The second one is a missing value beside other words than the first."""

_MEANINGS = {word: True for word, _ in PAIRS} | {word: False for _, word in PAIRS} | DIGITS | {THERE: True}
_MISSING = frozenset(MISSING)
_FIRST, _MOST_WORDS = 16, 100


class BooleanEncoder(Encoder):
    """1 for true and 0 for false. If training rows have no value, a second number is 1 where a value is missing."""

    kind: Literal["boolean"] = "boolean"
    true: str = Field(description="the word for true")
    missing: bool = Field(description="whether there is a second number, for missing values")

    def inputs(self) -> Inputs:
        return Inputs("vector", (1 + self.missing,))

    def encode(self, table: Table) -> npt.NDArray[np.generic]:
        """x_NF, float64, F = 1 or 2."""
        values = table.data[self.name].combine_chunks()
        true_N = pc.fill_null(pc.equal(values, self.true), False).to_numpy(zero_copy_only=False)
        missing_N = pc.is_null(values).to_numpy(zero_copy_only=False)
        return np.stack([true_N, missing_N][: 1 + self.missing], 1).astype(np.float64)

    def stands_in(self) -> str:
        return "missing, as in the training rows" if self.missing else "false"


class Boolean(Feature):
    """True or false, as 1 or 0; where training rows have no value, a second number marks missing values.

    Words for true and false of many languages are read, in upper and lower case: `True`, `yes`, `Y`, `on`, `是`, and
    `1` and `0` beside them. A column with `unknown`, too, is a category of three, unless a user chooses this feature,
    which reads it as missing.
    """

    kind: Literal["boolean"] = "boolean"
    true: str = Field("true", min_length=1, max_length=200, description="the word for true in answers; it is read, too")
    false: str = Field(
        "false", min_length=1, max_length=200, description="the word for false in answers; it is read, too"
    )
    _words: tuple[str, ...] = PrivateAttr(default=())
    _third: tuple[str, ...] = PrivateAttr(default=())
    """Words such as unknown, which may be a third answer."""

    precedence: ClassVar[int] = 20
    side_by_side: ClassVar[bool] = True
    place: ClassVar[int] = 1
    is_target: ClassVar[bool] = True
    names: ClassVar[Naming | None] = "classes"

    @model_validator(mode="after")
    def _differ(self) -> "Boolean":
        if self.true.strip().casefold() == self.false.strip().casefold():
            raise ValueError(f"true and false are both '{self.true}'; give them different words")
        return self

    def narrowed(self, values: pa.Array) -> "Boolean | None":
        """With the words of these values, in the order of their first appearance."""
        first = first_word(values)
        if first is not None and first.casefold() not in _MEANINGS:
            return None
        words, third = list[str](), list[str]()
        for part in (values.slice(0, _FIRST), values):
            if len(part) > _MOST_WORDS or pc.max(pc.binary_length(part)).as_py() > LONGEST:
                return None
            stripped = [cell.strip() for cell in part.to_pylist()]
            words = [word for word in stripped if word not in _MISSING or word == NOT_THERE]
            third = [word for word in stripped if word in ANSWERS]
            if not all(word.casefold() in _MEANINGS or word == NOT_THERE for word in words):
                return None
        feature = self.model_copy()
        feature._words = tuple(dict.fromkeys((*self._words, *words)))
        feature._third = tuple(dict.fromkeys((*self._third, *third)))
        return feature

    @classmethod
    def recognize(cls, seen: Observation) -> Feature | None:
        if pa.types.is_boolean(seen.type):
            return cls()
        words = _own_words(seen)
        return None if words is None or seen.declared or third_answers(seen) else cls(true=words[0], false=words[1])

    def settled(self, seen: Observation) -> Feature:
        """With the words of the column, if the user names none."""
        words = _own_words(seen)
        if words is None or self.model_fields_set & {"true", "false"}:
            return self
        return self.model_copy(update={"true": words[0], "false": words[1]})

    def read(self, values: pa.Array, column: Column) -> pa.Array:
        """The words of the settings for true and false; unknown is a missing value, as it is in a predict request."""
        if not pa.types.is_string(values.type):
            values = values.cast(pa.string())
        encoded = values.dictionary_encode()
        words = [self._read(cell) for cell in encoded.dictionary.to_pylist()]
        return pa.array(words, pa.string()).take(encoded.indices)

    def _read(self, cell: str) -> str | None:
        """Raises ArrowInvalid for a word that means neither."""
        word = cell.strip()
        folded = word.casefold()
        for own in (self.true, self.false):
            if folded == own.strip().casefold():
                return own
        if word in _MISSING:
            return None
        if (means := _MEANINGS.get(folded)) is None:
            raise pa.ArrowInvalid("neither true nor false")
        return self.true if means else self.false

    def cells(self, values: Sequence[Any], column: Column) -> pa.Array:
        words = [self._cell(row, value) for row, value in enumerate(values)]
        return pa.array(words, pa.string())

    def _cell(self, row: int, value: Any) -> str | None:
        if value is None:
            return None
        if isinstance(value, bool):
            return self.true if value else self.false
        if not (is_text(value) or isinstance(value, int | float)):
            raise CellError(row, f"must be true or false; this is {json_kind(value)}")
        word = str(value)
        try:
            self._read(word)
        except pa.ArrowInvalid:
            known = f"true or false, or a word such as '{self.true}' or '{self.false}'"
            raise CellError(row, f"must be {known}; this is {shown(word)}") from None
        return word

    def input_kind(self, column: Column, accepts: frozenset[InputKind]) -> InputKind:
        return "vector"

    def expect(self, column: Column, accepts: frozenset[InputKind]) -> Inputs:
        return Inputs("vector", (1 + (column.missing > 0),))

    def fit(self, table: Table, column: Column, train: Rows, accepts: frozenset[InputKind]) -> BooleanEncoder:
        values = table.data[column.name].combine_chunks().take(pa.array(train))
        return BooleanEncoder(name=column.name, true=self.true, missing=values.null_count > 0)


def third_answers(seen: Observation) -> tuple[str, ...]:
    """Words such as unknown, if all other words of the column mean true, false or a missing value."""
    return next((each._third for each in seen.fitting if isinstance(each, Boolean) and _own_words(seen)), ())


def _own_words(seen: Observation) -> tuple[str, str] | None:
    """The words for true and false that came first in the column. None if it does not have both."""
    words = next((each._words for each in seen.fitting if isinstance(each, Boolean)), ())
    meanings = {word: _MEANINGS.get(word.casefold()) for word in words}
    trues, falses = ([word for word, means in meanings.items() if means is wanted] for wanted in (True, False))
    if not falses and THERE in words:
        falses = [word for word in words if word == NOT_THERE]
    named = [[word for word in side if word.casefold() not in DIGITS] for side in (trues, falses)]
    if not trues or not falses or not any(named):
        return None
    folded = {word.casefold() for side in named for word in side}
    is_pair = not all(named) or THERE in folded or any(folded >= set(pair) for pair in PAIRS)
    return ((*named[0], *trues)[0], (*named[1], *falses)[0]) if is_pair else None
