"""Dates and times as people write them, as seconds since 1970 on the clock of the place where they were written."""

import re
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.data.missing_words import MISSING
from models.parts.numerals import LONGEST, all_match, trimmed

Format = Literal["ymd", "dmy", "mdy", "month_name", "yyyymmdd", "time", "unix", "unix_ms"]
FORMATS: tuple[Format, ...] = get_args(Format)

DAY = 86_400
_NEVER = ("0000-00-00", "0000-00-00 00:00:00")
"""What MySQL writes for a date that is not known."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_CLOCK = (
    r"(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9])(?:[.,][0-9]{1,9})?)?|时|点)"
    r"(?:(?P<minute_>[0-5]?[0-9])分)?(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_ZONE = r"(?: ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}|[+-][0-9]{2}))?"
_AFTER = rf"(?:(?:[Tt]|,? +|日 ?){_CLOCK}{_ZONE})?$"
_NAME = r"(?P<name>(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))[A-Za-z]{0,6}\.?"
_WEEKDAY = r"(?:[A-Za-z]{3,9},? )?"

_PATTERNS: dict[Format, tuple[str, ...]] = {
    "ymd": (
        r"^(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{1,2})(?:-(?P<day>[0-9]{1,2}))?"
        r"|/(?P<month_>[0-9]{1,2})(?:/(?P<day_>[0-9]{1,2}))?"
        r"|\.(?P<month__>[0-9]{1,2})\.(?P<day__>[0-9]{1,2})\.?"
        r"|年 ?(?P<month___>[0-9]{1,2})月(?: ?(?P<day___>[0-9]{1,2})日)?)" + _AFTER,
    ),
    "dmy": (r"^(?P<day>[0-9]{1,2})[-/. ] ?(?P<month>[0-9]{1,2})[-/. ] ?(?P<year>[0-9]{4}|[0-9]{2})\.?" + _AFTER,),
    "mdy": (r"^(?P<month>[0-9]{1,2})[-/](?P<day>[0-9]{1,2})[-/](?P<year>[0-9]{4}|[0-9]{2})" + _AFTER,),
    "month_name": (
        rf"^{_WEEKDAY}(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?\.?[- ]{_NAME}[-, ]{{1,2}}(?P<year>[0-9]{{4}}|[0-9]{{2}})"
        + _AFTER,
        rf"^{_WEEKDAY}{_NAME}[- ](?:(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?,? )?(?P<year>[0-9]{{4}}){_AFTER}",
    ),
    "yyyymmdd": (
        r"^(?P<year>(?:1[5-9]|2[0-2])[0-9]{2})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"
        r"(?:[T ]?(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>[0-9]{2})?Z?|\.0)?$",
    ),
    "time": (rf"^{_CLOCK}{_ZONE}$",),
}
_ISO = rf"^(?P<year>[0-9]{{4}})-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}}){_AFTER}"
_WITH_ISO: frozenset[Format] = frozenset({"ymd", "dmy", "mdy", "month_name", "yyyymmdd"})
"""The formats beside which a date may be written as ISO 8601 has it. It has one meaning, unlike 01/02/2024."""
_PLAIN_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?$"
_SHORT_YEAR = r"^[0-9]{1,2}[-/. ] ?[0-9]{1,2}[-/. ] ?[0-9]{2}(?:[^0-9]|$)"
_FIRST_LOOK, _MOST_LOOKED_AT = 5, 20_000
"""Values of which one must be a date, and distinct values, for a column to be mostly dates."""
_YEARS = r"^(?:19|20)(?P<year>[0-9]{2})-(?P<next>[0-9]{2})$"
_UNITS: dict[Format, int] = {"unix": 1, "unix_ms": 1000}
_FIRST = -62_135_596_800
"""The first second of the year 1."""
_LARGEST = 253_402_300_800
"""Seconds from 1970 to the year 10000."""


def seconds(values: pa.Array, format: Format) -> pa.Array:
    """int64, the seconds of each date; null where a value is missing. Raises ArrowInvalid for what is no date."""
    if pa.types.is_string(values.type):
        values = trimmed(values, _NEVER)
    if format in _UNITS:
        numbers = values.cast(pa.float64())
        found = np.floor(np.asarray(numbers.to_numpy(zero_copy_only=False), np.float64) / _UNITS[format])
        missing = np.isnan(found)
        if np.any(np.abs(found[~missing]) > _LARGEST):
            raise pa.ArrowInvalid("a time beyond the year 10000")
        return pa.array(np.where(missing, 0, found).astype(np.int64), mask=missing)
    if pa.types.is_floating(values.type):
        # Programs that have no missing integers write 20240105.0 beside a missing value.
        values = values.cast(pa.int64())
    if not pa.types.is_string(values.type):
        values = values.cast(pa.string())
    encoded = values.dictionary_encode()
    counted = _seconds(encoded.dictionary, format)
    if counted is None:
        raise pa.ArrowInvalid("not a date")
    return pa.array(counted, pa.int64()).take(encoded.indices)


def narrowed(values: pa.Array, formats: Sequence[Format]) -> tuple[Format, ...]:
    """The formats in which all of these strings are dates. A value may be missing."""
    if pc.max(pc.binary_length(values)).as_py() > LONGEST:
        return ()
    # Most columns are none of these, and their first value shows it sooner than Arrow compiles a pattern.
    first = values[0].as_py().strip()
    if first not in MISSING and not any(letter.isdigit() for letter in first):
        return ()
    if first not in MISSING and first.isascii():
        formats = [each for each in formats if each in _UNITS or any(re.match(one, first) for one in _patterns(each))]
    values = trimmed(values, _NEVER).drop_null()
    formats = tuple(each for each in formats if each not in _UNITS)
    if not len(values):
        return formats
    iso = pc.match_substring_regex(values, _ISO)
    if pc.any(iso).as_py():
        if _seconds(values.filter(iso), "ymd") is None:
            return ()
        formats, values = tuple(each for each in formats if each in _WITH_ISO), values.filter(pc.invert(iso))
    return tuple(each for each in formats if not len(values) or _fits(values, each))


def takes_iso(format: Format) -> bool:
    """Whether a date of this format may also be written as 2024-01-25."""
    return format in _WITH_ISO


def _patterns(format: Format) -> tuple[str, ...]:
    return (*_PATTERNS[format], *([_ISO] if takes_iso(format) else []))


def mostly(values: pa.Array) -> tuple[Format, npt.NDArray[np.bool_]] | None:
    """The format in which at least nine of ten of these strings are dates, and which of the others are not missing.

    None if there is no such format, or if all are dates in it. Times of a day alone are no dates.
    """
    encoded = trimmed(values, _NEVER).dictionary_encode()
    if len(encoded.dictionary) > _MOST_LOOKED_AT:
        return None
    for format in ("ymd", "dmy", "mdy", "month_name"):
        first = encoded.dictionary[:_FIRST_LOOK].to_pylist()
        if not any(re.match(pattern, each) for each in first for pattern in _PATTERNS[format]):
            continue
        _, wrong = _counted(encoded.dictionary, format)
        # The last one stands for missing values.
        odd = np.append(wrong, False)
        odd_N = odd[pc.fill_null(encoded.indices, len(odd) - 1).to_numpy(zero_copy_only=False)]
        if 0 < 10 * int(odd_N.sum()) <= len(values) - encoded.null_count:
            return format, odd_N
    return None


def has_short_years(values: pa.Array) -> bool:
    """Whether some of these dates have years of two digits, behind the day and the month."""
    return bool(pc.any(pc.match_substring_regex(values, _SHORT_YEAR)).as_py())


def _fits(values: pa.Array, format: Format) -> bool:
    return _seconds(values, format) is not None and not (format == "ymd" and _are_seasons(values))


def _are_seasons(values: pa.Array) -> bool:
    """Whether these are several seasons or fiscal years, such as 2008-09 and 2009-10, rather than months."""
    if not re.match(_YEARS, values[0].as_py() if len(values) else "") or not all_match(values, _YEARS):
        return False
    parts = pc.extract_regex(values.unique(), _YEARS)
    year, month = (parts.field(name).cast(pa.int64()) for name in ("year", "next"))
    follows = pc.equal(pc.add(year, 1), month)
    return len(parts) > 1 and bool(pc.all(follows).as_py())


def _seconds(values: pa.Array, format: Format) -> npt.NDArray[np.int64] | None:
    """The seconds of these strings, none of which is null. None if one of them is not such a date."""
    if not len(values):
        return np.zeros(0, np.int64)
    if takes_iso(format) and all_match(values, _PLAIN_ISO):
        try:
            since = np.asarray(values.cast(pa.timestamp("s")).cast(pa.int64()).to_numpy(zero_copy_only=False))
        except pa.ArrowInvalid:
            return None
        return None if since.min() < _FIRST else since
    found, wrong = _counted(values, format)
    return None if wrong.any() else found


def _counted(values: pa.Array, format: Format) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The seconds of these strings, and which of them are no such date."""
    found, wrong = np.zeros(len(values), np.int64), np.ones(len(values), bool)
    for pattern in _patterns(format):
        left = np.flatnonzero(wrong)
        parts = pc.extract_regex(values.take(pa.array(left)), pattern)
        matched = parts.is_valid().to_numpy(zero_copy_only=False)
        if matched.any():
            found[left[matched]], wrong[left[matched]] = _of_parts(parts.filter(parts.is_valid()))
        if matched.all():
            break
    return found, wrong


def _of_parts(parts: pa.StructArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The seconds of what a pattern found, and which of these days and hours do not exist."""
    names = [field.name for field in parts.type]

    def numbers(name: str, otherwise: int) -> npt.NDArray[np.int64]:
        found = np.full(len(parts), otherwise, np.int64)
        for each in names:
            if each.rstrip("_") == name:
                texts = parts.field(names.index(each))
                told = pc.not_equal(texts, "")
                values = pc.if_else(told, texts, "0").cast(pa.int64()).to_numpy(zero_copy_only=False)
                found = np.where(told.to_numpy(zero_copy_only=False), values, found)
        return found

    year, month, day = numbers("year", 1970), numbers("month", 1), numbers("day", 1)
    is_short = np.zeros(len(parts), bool)
    for place, each in enumerate(names):
        if each.rstrip("_") == "year":
            is_short |= pc.equal(pc.utf8_length(parts.field(place)), 2).to_numpy(zero_copy_only=False)
    year = np.where(is_short, year + np.where(year < 70, 2000, 1900), year)
    if "name" in names:
        lowered = pc.utf8_lower(parts.field(names.index("name")))
        month = np.asarray(pc.index_in(lowered, value_set=pa.array(_MONTHS)).to_numpy(zero_copy_only=False)) + 1
    hour, minute, second = numbers("hour", 0), numbers("minute", 0), numbers("second", 0)
    wrong = (year < 1) | (month < 1) | (month > 12) | (day < 1) | (day > 31)
    if "half" in names:
        half = pc.utf8_lower(parts.field(names.index("half"))).to_numpy(zero_copy_only=False)
        wrong |= (half != "") & ((hour < 1) | (hour > 12))
        hour = np.where(half == "", hour, hour % 12 + np.where(half == "p", 12, 0))
    wrong |= (hour > 23) | (minute > 59) | (second > 59)
    months = ((year - 1970) * 12 + np.clip(month, 1, 12) - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (np.clip(day, 1, 31) - 1).astype("timedelta64[D]")
    wrong |= days.astype("datetime64[M]") != months
    counted: npt.NDArray[np.int64] = days.astype(np.int64) * DAY + hour * 3600 + minute * 60 + second
    return counted, wrong
