"""Dates and times: a trend, and cycles of the calendar."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, JsonValue, PrivateAttr

from athanor.contract import Column
from models.data.table import Table
from models.parts.dates import DAY, FORMATS, Format, has_short_years, narrowed, seconds, takes_iso
from models.parts.feature import (
    UNREADABLE,
    CellError,
    Encoder,
    Feature,
    Observation,
    Reals,
    Rows,
    first_unreadable,
    is_text,
    json_kind,
    shown,
)
from models.parts.inputs import InputKind, Inputs
from models.parts.numerals import first_word
from models.parts.oddity import EXAMPLES, Oddity
from models.parts.reach import Reach, beyond, reach_of
from models.parts.scaling import divisor

Cycle = Literal["month", "day", "weekday", "time"]

_LENGTHS: dict[Cycle, int] = {"month": 12, "day": 31, "weekday": 7, "time": DAY}
_FIRST = 16
_HALF = 3**0.5
"""Standard deviations from the mean of equally frequent dates to the first and to the last."""
_LIKELY = re.compile(
    r"\d{4}[-/年]|\d{4}\.\d{1,2}\.|\d{1,2}[-/. ] ?\d{1,2}[-/. ]|\d{8}"
    r"|\d{1,2}(:|\uff1a|时|点)|[A-Za-z]{3}|\d{1,2}\D{0,3}[- ][A-Za-z]{3}"
)
"""How a date begins."""
_NAMED = re.compile(r"(^|[_ .-])(date|day|datum|dt|ymd|fecha|data)([_ .-]|$)|[a-z]Date$|日期|日付|날짜")
"""Names of columns whose numbers of eight digits are dates."""


class DateEncoder(Encoder):
    """The time as (seconds − mean) / std, then sine and cosine of each cycle that varies in the training rows.

    A missing value is 0 everywhere; if training rows have one, a last number is 1 where a value is missing.
    """

    kind: Literal["date"] = "date"
    mean: float
    std: float
    cycles: list[Cycle]
    missing: bool
    reach: Reach | None = Field(None, description="seconds between which most dates of several trainings are")

    def inputs(self) -> Inputs:
        return Inputs("vector", (1 + 2 * len(self.cycles) + self.missing,))

    def encode(self, table: Table) -> npt.NDArray[np.generic]:
        """x_NF, float64."""
        seconds_N = table.numbers(self.name)
        missing_N = np.isnan(seconds_N)
        seconds_N = np.where(missing_N, self.mean, seconds_N)
        columns = [(seconds_N - self.mean) / self.std]
        for cycle in self.cycles:
            angle_N = 2 * np.pi * position(seconds_N, cycle) / _LENGTHS[cycle]
            columns += [np.where(missing_N, 0, np.sin(angle_N)), np.where(missing_N, 0, np.cos(angle_N))]
        return np.stack([*columns, *([missing_N.astype(np.float64)] if self.missing else [])], 1)

    def odd(self, table: Table, column: Column) -> list[Oddity]:
        """Missing values, and dates far from those of the training rows."""
        found = super().odd(table, column)
        seconds_N = table.numbers(self.name)
        low, high = self.reach or _usual(self.mean, self.std)
        far = np.flatnonzero(beyond(seconds_N, low, high)).tolist()
        what = f"are far from the dates of the training rows, most of which are from {_day(low)} to {_day(high)}"
        suggestion = "check the order of day, month and year, or train on rows of these dates"
        examples = [_day(each) for each in seconds_N[far[:EXAMPLES]]]
        return [*found, Oddity.of_rows("far_from_training", what, suggestion, far, len(seconds_N), examples)]

    def after(self, table: Table, train: Rows) -> "DateEncoder":
        seconds_N = table.numbers(self.name)[train]
        known_N = seconds_N[~np.isnan(seconds_N)]
        if not len(known_N):
            return self
        now = np.array(_usual(float(known_N.mean()), float(known_N.std())))
        return self.model_copy(update={"reach": reach_of(now, self.reach or _usual(self.mean, self.std))})

    def stands_in(self) -> str:
        return (
            "missing, as in the training rows" if self.missing else f"{_day(self.mean)}, the mean of the training rows"
        )


def _usual(mean: float, std: float) -> Reach:
    """Where most dates are."""
    return mean - _HALF * std, mean + _HALF * std


def _day(at: float) -> str:
    return str(np.datetime64(int(at), "s").astype("datetime64[D]"))


def position(seconds_N: Reals, cycle: Cycle) -> Reals:
    """Where in a cycle each time is, from 0."""
    days_N = np.floor(seconds_N / DAY).astype(np.int64).astype("datetime64[D]")
    months_N = days_N.astype("datetime64[M]")
    match cycle:
        case "month":
            found = months_N.astype(np.int64) % 12
        case "day":
            found = (days_N - months_N.astype("datetime64[D]")).astype(np.int64)
        case "weekday":
            # 1970 began with a Thursday; a week begins with Monday.
            found = (days_N.astype(np.int64) + 3) % 7
        case "time":
            return seconds_N % DAY
    return np.asarray(found, np.float64)


class Date(Feature):
    """A date, a time, or both: a trend, and month, day, weekday and time of day as sine and cosine where they vary.

    `ymd` is 2024-01-05, 2024/1/5 or 2024年1月5日; `dmy` is 25.01.2024, `mdy` 01/25/2024, `month_name` 25 Jan 2024. All
    of them may have a time, as in 2024-01-05T13:30:00+01:00. The time is that of the clock: the zone does not count.
    Beside any format but `time`, `unix` and `unix_ms`, some cells may be ISO dates such as 2024-01-05.
    """

    kind: Literal["date"] = "date"
    format: Format | None = Field(
        None,
        description="how dates are written; unix counts seconds since 1970. null: as the column shows it, else ymd",
    )
    _formats: tuple[Format, ...] = PrivateAttr(default=FORMATS)
    _has_short_years: bool = PrivateAttr(default=False)

    precedence: ClassVar[int] = 25
    side_by_side: ClassVar[bool] = True

    def narrowed(self, values: pa.Array) -> "Date | None":
        if (first := first_word(values)) is not None and not _LIKELY.match(first):
            return None
        formats = narrowed(values.slice(0, _FIRST), self._formats)
        formats = narrowed(values, formats) if formats and len(values) > _FIRST else formats
        if not formats:
            return None
        feature = self.model_copy()
        feature._formats = formats
        feature._has_short_years = self._has_short_years or has_short_years(values)
        return feature

    @classmethod
    def recognize(cls, seen: Observation) -> Feature | None:
        formats = _formats(seen)
        if not formats or seen.declared:
            return None
        if formats[0] == "yyyymmdd" and not _NAMED.search(seen.name.strip().lower()):
            return None
        return cls(format=formats[0])

    def settled(self, seen: Observation) -> Feature:
        """With the format of the column, where it is left open."""
        formats = _formats(seen)
        return self if self.format or not formats else self.model_copy(update={"format": formats[0]})

    def guess(self, seen: Observation) -> str | None:
        formats = _formats(seen)
        if self.format == "yyyymmdd":
            return "its numbers of eight digits are read as dates; features with the kind number or date settles it"
        if any(isinstance(each, Date) and each._has_short_years for each in seen.fitting):
            return (
                f"its values are read as dates ({self.format}), and their years of two digits as 1970 to 2069; "
                "format of the feature settles it, or its kind if they are versions or sizes"
            )
        if len(formats) > 1:
            others = " or ".join(each for each in formats if each != self.format)
            return f"its dates are read as {self.format} and may be {others}; format of the feature settles it"
        return None

    def read(self, values: pa.Array, column: Column) -> pa.Array:
        """int64, seconds since 1970."""
        return seconds(values, self.format or "ymd")

    def cells(self, values: Sequence[Any], column: Column) -> pa.Array:
        for row, value in enumerate(values):
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (value is None or is_text(value) or is_number):
                raise CellError(row, f"must be a date; this is {json_kind(value)}")
        written = pa.array([None if value is None else str(value) for value in values], pa.string())
        try:
            self.read(written, column)
        except UNREADABLE as error:
            row = first_unreadable(self, written, column)
            raise CellError(
                row, f"must be a date like {self._examples()}; this is {shown(str(values[row]))}"
            ) from error
        return written

    def _examples(self) -> str:
        format = self.format or "ymd"
        own = f"'{_EXAMPLES[format]}'"
        return f"{own} or '{_EXAMPLES['ymd']}'" if takes_iso(format) and format != "ymd" else own

    def preview(self, value: Any, column: Column) -> JsonValue:
        if value is None:
            return None
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)
        if self.format == "time":
            return moment.strftime("%H:%M:%S")
        return moment.date().isoformat() if value % DAY == 0 else moment.replace(tzinfo=None).isoformat()

    def input_kind(self, column: Column, accepts: frozenset[InputKind]) -> InputKind:
        return "vector"

    def expect(self, column: Column, accepts: frozenset[InputKind]) -> Inputs:
        """As if every cycle varied."""
        return Inputs("vector", (1 + 2 * len(_LENGTHS) + (column.missing > 0),))

    def fit(self, table: Table, column: Column, train: Rows, accepts: frozenset[InputKind]) -> DateEncoder:
        seconds_N = table.numbers(column.name)[train]
        known_N = seconds_N[~np.isnan(seconds_N)]
        mean, std = (float(known_N.mean()), float(known_N.std())) if len(known_N) else (0.0, 1.0)
        return DateEncoder(
            name=column.name,
            mean=mean,
            std=float(divisor(std, mean, len(known_N))),
            cycles=[cycle for cycle in _LENGTHS if len(known_N) and np.ptp(position(known_N, cycle)) > 0],
            missing=len(known_N) < len(seconds_N),
        )


_EXAMPLES: dict[Format, str] = {
    "ymd": "2024-01-25",
    "dmy": "25.01.2024",
    "mdy": "01/25/2024",
    "month_name": "25 Jan 2024",
    "yyyymmdd": "20240125",
    "time": "13:30",
    "unix": "1706140800",
    "unix_ms": "1706140800000",
}


def _formats(seen: Observation) -> tuple[Format, ...]:
    """The formats in which every string of the column is a date."""
    found = next((each._formats for each in seen.fitting if isinstance(each, Date)), ())
    if "time" in found and "ymd" in found:
        # There was no value yet.
        return ()
    # What every format reads is a column of ISO dates alone.
    return ("ymd",) if "ymd" in found else found
