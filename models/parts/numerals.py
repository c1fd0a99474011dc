"""Numbers as people write them: decimal commas, grouped digits, units, signs of other scripts.

Works on Arrow arrays, without a Python loop over cells of ASCII.
"""
# ruff: noqa: RUF001 -- what looks like ASCII and is not is what this file is about

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from models.data.missing_words import MISSING
from models.parts.units import is_known, is_money

Mark = Literal[".", ","]

NUMERAL = r"^[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
WHOLE = r"^[+-]?(0|[1-9][0-9]{0,17})$"
LONGEST = 60
"""Bytes of the longest cell that may be a number, a date or a truth value with what stands around it."""

_ZEROS = "٠۰०০੦૦୦௦౦೦൦๐０"
_SIGNS = {
    **dict.fromkeys("−–﹣－", "-"),
    **dict.fromkeys("＋﹢", "+"),
    **dict.fromkeys("，﹐", ","),
    **dict.fromkeys("．﹒٫", "."),
    **dict.fromkeys("％﹪٪", "%"),
    **dict.fromkeys("’‘′٬＇", "'"),
    **dict.fromkeys("\u00a0\u2007\u2008\u2009\u200a\u202f\u3000", " "),
    **dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", ""),
    **{"（": "(", "）": ")", "／": "/", "：": ":", "＄": "$"},
}
_ASCII = str.maketrans({chr(ord(zero) + digit): str(digit) for zero in _ZEROS for digit in range(10)} | _SIGNS)
_FOREIGN = "[" + "".join(map(chr, _ASCII)) + "]"

_EXPONENT = r"(?:[eE][+-]?[0-9]+)?"


def _digits(mark: str, other: str) -> str:
    """Digits with this decimal mark. The other mark, a space or an apostrophe may group them; India groups by two."""
    plain = rf"(?:(?:0|[1-9][0-9]*)(?:[{mark}][0-9]*)?|[{mark}][0-9]+){_EXPONENT}"
    size = "2,3" if other == "," else "3"
    marked = rf"(?:[{other}][0-9]{{{size}}})*[{other}][0-9]{{3}}"
    grouped = rf"[1-9][0-9]{{0,2}}(?:{marked}|(?: [0-9]{{3}})+|(?:'[0-9]{{3}})+)"
    return rf"(?:{grouped}(?:[{mark}][0-9]*)?|{plain})"


_DIGITS: dict[Mark, str] = {".": _digits(".", ","), ",": _digits(",", ".")}
_ANY = r"[0-9.,' ]*[0-9.,]" + _EXPONENT
_FRACTION: dict[Mark, str] = {
    ".": r"\.[0-9]*[1-9]|[0-9.,][eE][+-]?[0-9]|[0-9]{16}",
    ",": r",[0-9]*[1-9]|[0-9.,][eE][+-]?[0-9]|[0-9]{16}",
}
_BEFORE, _AFTER = r"[\p{L}\p{Sc}][\p{L}\p{Sc}.]{0,3}", r'[\p{L}\p{S}%‰"″][^+(),;:]{0,15}'
_GRADE = r"(?:^|[^0-9.,])[0-9]{1,3}-"
"""A minus behind a few digits is no sign: `2-` is a grade, `65-` an age, `650-` a score; `4.50-` is what SAP writes."""
_TWO_SIGNS = r"^[^0-9]*[+-](?:[^0-9]*[+-]|.*[0-9.,]-[^0-9]*$)"
_FIRST = 16
"""Values that are looked at first, because most columns are of another kind."""


@dataclass(frozen=True)
class Writing:
    """How the numbers of a column are written, as far as its values were seen."""

    marks: frozenset[Mark] = frozenset({".", ","})
    """The decimal marks with which every value is a number."""
    fractions: frozenset[Mark] = frozenset()
    """The decimal marks with which some value is not whole."""
    unit: str = ""
    """What stands before or after numbers."""
    has_numbers: bool = False
    is_plain: bool = True
    """Every number is one of a programming language, with a point and without groups."""
    has_bare: bool = False
    """Some number has no unit."""

    def seen(self, values: pa.Array) -> "Writing | None":
        """With these values, too; None if they are not numbers written in one way."""
        word = first_word(values)
        if word is not None and not any(letter.isdigit() for letter in word):
            return None
        first = self._seen(values.slice(0, _FIRST))
        return None if first is None else first._seen(values.slice(_FIRST))

    def _seen(self, values: pa.Array) -> "Writing | None":
        if not len(values):
            return self
        if pc.max(pc.binary_length(values)).as_py() > LONGEST:
            return None
        values = trimmed(values).drop_null()
        if not len(values):
            return self
        if all_match(values, NUMERAL):
            if "." in self.fractions and len(self.marks) == 1:
                return replace(self, has_bare=True)
            if all_match(values, r"^-?(?:0|[1-9][0-9]{0,14})$"):
                return replace(self, has_numbers=True, has_bare=True)
            return self._narrowed(values, "")
        if not pc.all(pc.equal(pc.starts_with(values, "("), pc.ends_with(values, ")"))).as_py():
            return None
        written = replace(self, is_plain=False)
        if (found := written._narrowed(values, self.unit)) is not None or self.unit:
            return found
        return written._with_unit(values)

    def _with_unit(self, values: pa.Array) -> "Writing | None":
        parts = pc.extract_regex(
            values, rf"^\(?[+-]? ?(?P<before>{_BEFORE})? ?[+-]? ?{_ANY}-? ?(?P<after>{_AFTER})?\)?$"
        )
        if parts.null_count:
            return None
        units = pc.binary_join_element_wise(parts.field("before"), parts.field("after"), "").unique().to_pylist()
        if len(stated := [unit for unit in units if unit]) != 1:
            return None
        (unit,) = stated
        if not is_money(unit) and (_stands_before(parts) or not _is_apart(values, unit)):
            return None
        return self._narrowed(values, unit)

    def _narrowed(self, values: pa.Array, unit: str) -> "Writing | None":
        if not self.is_plain and pc.any(pc.match_substring_regex(values, f"{_GRADE}|{_TWO_SIGNS}")).as_py():
            return None
        start, end = _around(unit)
        marks = frozenset(mark for mark in self.marks if all_match(values, start + _DIGITS[mark] + end))
        if not marks:
            return None
        fractions = self.fractions & marks
        for mark in marks - fractions:
            if pc.any(pc.match_substring_regex(values, _FRACTION[mark])).as_py():
                fractions |= {mark}
        has_bare = self.has_bare or not unit or not pc.all(pc.match_substring(values, unit)).as_py()
        return Writing(marks, fractions, unit or self.unit, True, self.is_plain, has_bare)


def _around(unit: str) -> tuple[str, str]:
    """Patterns of what may stand before and after the digits of a number with this unit."""
    quoted = _quoted(unit)
    before, after = (rf"(?:{quoted})? ?", rf"(?: ?{quoted})?") if unit else ("", "")
    return rf"^(?P<open>\()?(?P<sign>[+-])? ?{before}(?P<second>[+-])? ?", rf"(?P<last>-)?{after}(?P<close>\))?$"


def _quoted(text: str) -> str:
    return r"\Q" + text.replace("\\E", r"\E\\E\Q") + r"\E"


def _stands_before(parts: pa.StructArray) -> bool:
    return bool(pc.any(pc.not_equal(parts.field("before"), "")).as_py())


def _is_apart(values: pa.Array, unit: str) -> bool:
    """Whether a word after numbers looks like a unit: `5 stars`, `5个` and `5kg` do, `5a` names something."""
    if not unit.isascii() or (is_known(unit) and len(unit) > 1):
        return True
    return all_match(values, rf"(?: {_quoted(unit)}|[0-9.,])\)?$") or (is_known(unit) and unit in "%hsmg")


def plain(values: pa.Array, decimal: Mark, unit: str, missing: Sequence[str] = ()) -> tuple[pa.Array, pa.Array]:
    """The strings as plain numerals, null where a value is missing; and a mask of those that are no numbers."""
    values = trimmed(values, missing)
    if decimal == "." and all_match(values, NUMERAL):
        return pc.replace_substring_regex(values, r"^\+", ""), pa.repeat(False, len(values))
    start, end = _around(unit)
    parts = pc.extract_regex(values, start + rf"(?P<digits>{_DIGITS[decimal]})" + end)
    opened, closed, digits = parts.field("open"), parts.field("close"), parts.field("digits")
    balanced = pc.equal(pc.equal(opened, ""), pc.equal(closed, ""))
    signs = [parts.field(name) for name in ("sign", "second", "last")]
    has_one_sign = pc.less_equal(pc.binary_length(pc.binary_join_element_wise(*signs, "")), 1)
    is_number = pc.and_(pc.fill_null(pc.is_valid(parts), False), pc.fill_null(pc.and_(balanced, has_one_sign), False))
    if pc.any(pc.equal(parts.field("last"), "-")).as_py():
        is_number = pc.and_(is_number, pc.fill_null(pc.invert(pc.match_substring_regex(values, _GRADE)), False))
    digits = pc.replace_substring_regex(digits, "[ ']", "")
    digits = pc.replace_substring(digits, "," if decimal == "." else ".", "")
    digits = digits if decimal == "." else pc.replace_substring(digits, ",", ".")
    marked = pc.binary_join_element_wise(opened, *signs, "")
    sign = pc.if_else(pc.match_substring_regex(marked, r"[(-]"), "-", "")
    digits = pc.binary_join_element_wise(sign, digits, "")
    wrong = pc.and_(pc.is_valid(values), pc.invert(is_number))
    return pc.if_else(is_number, digits, pa.scalar(None, pa.string())), wrong


def trimmed(values: pa.Array, missing: Sequence[str] = ()) -> pa.Array:
    """Strings without white space around them, digits and signs in ASCII; words for a missing value become null."""
    values = in_ascii(pc.utf8_trim_whitespace(values))
    return pc.if_else(pc.is_in(values, value_set=_missing_words(tuple(missing))), pa.scalar(None, pa.string()), values)


@lru_cache(100)
def _missing_words(missing: tuple[str, ...]) -> pa.Array:
    return pa.array([*MISSING, *(word.strip() for word in missing)], pa.string())


def in_ascii(values: pa.Array) -> pa.Array:
    """Digits, signs and spaces of other scripts in ASCII, in cells that are short enough for a number or a date."""
    if pc.all(pc.string_is_ascii(values)).as_py() is not False:
        return values
    foreign = pc.and_(pc.match_substring_regex(values, _FOREIGN), pc.less_equal(pc.binary_length(values), 3 * LONGEST))
    if not pc.any(foreign).as_py():
        return values
    found = values.filter(foreign)
    translated = pa.array([cell.translate(_ASCII).strip() for cell in found.to_pylist()], pa.string())
    return pc.replace_with_mask(values, pc.fill_null(foreign, False), translated)


def first_word(values: pa.Array) -> str | None:
    """The first string, to tell most columns of another kind at once. None if it is long, or means a missing value."""
    if not len(values) or len(values[0].as_buffer() or b"") > LONGEST:
        return None
    word = str(values[0].as_py()).strip()
    return None if word in MISSING else word


def all_match(values: pa.Array, pattern: str) -> bool:
    """Whether every string that is not null matches."""
    return pc.all(pc.match_substring_regex(values, pattern)).as_py() is not False
