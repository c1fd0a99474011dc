"""Dates of which a spreadsheet took the day for the month: 5/1/2020 became 1 May, and 25/1/2020 stayed a text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa

from athanor.contract import Warned
from models.data.columns import field as column_field
from models.data.columns import shown

FEWEST = 3
"""Dates, and texts, from which the mix is no accident."""
_SHOWN = 10
_MONTHS = 12
_WRITTEN = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?:[ ,T].*)?")


@dataclass
class Mixed:
    """Dates and texts of one column, as long as they look like swapped ones. `rows` are numbers of dates, from 0."""

    dates: int = 0
    texts: int = 0
    rows: list[int] = field(default_factory=list)
    moment: date | None = None
    text: str = ""
    first: int | None = None
    """The number in the texts, 0 or 1, that is no month."""
    fits: bool = True

    def see(self, value: Any, row: int) -> None:
        if isinstance(value, date):
            self.fits = self.fits and value.day <= _MONTHS
            self.dates += 1
            self.moment = self.moment or (value if value.day != value.month else None)
            if len(self.rows) < _SHOWN:
                self.rows.append(row)
        elif isinstance(value, str) and (found := _WRITTEN.fullmatch(value.strip())):
            beyond = [int(number) > _MONTHS for number in (found[1], found[3])]
            place = beyond.index(True) if any(beyond) else None
            # A text of two small numbers would have become a date, too.
            self.fits = self.fits and sum(beyond) == 1 and self.first in (None, place)
            self.first, self.text, self.texts = place, self.text or value.strip(), self.texts + 1


@dataclass
class SwappedDates:
    """Looks at the cells of a sheet, row by row."""

    columns: dict[int, Mixed] = field(default_factory=dict)

    def see(self, cells: Sequence[Any], row: int) -> None:
        """Add the row with this number, from 0."""
        for at, value in enumerate(cells):
            if isinstance(value, date) or (isinstance(value, str) and value[:1].isdigit()):
                mixed = self.columns.setdefault(at, Mixed())
                if mixed.fits:
                    mixed.see(value, row)

    def warnings(self, names: Sequence[str], above: int) -> list[Warned]:
        """Warnings about the columns with these names, which have `above` rows above the first row of data."""
        return [
            _warned(names[at], mixed, above)
            for at, mixed in sorted(self.columns.items())
            if mixed.fits and min(mixed.dates, mixed.texts) >= FEWEST and at < len(names)
        ]

    def told(self, batches: Iterator[pa.RecordBatch], warnings: list[Warned], above: int) -> Iterator[pa.RecordBatch]:
        """The same batches. The first one has the names with which the warnings are added to `warnings`."""
        for number, batch in enumerate(batches):
            if not number:
                warnings += self.warnings(batch.schema.names, above)
            yield batch


def _warned(name: str, mixed: Mixed, above: int) -> Warned:
    example = ""
    if mixed.moment is not None:
        other = date(mixed.moment.year, mixed.moment.day, mixed.moment.month)
        example = f"; {date(*mixed.moment.timetuple()[:3])} may be {other}"
    return Warned(
        code="swapped_dates",
        column=column_field(name),
        message=f"column {shown(name)}: {mixed.dates:,} cells are dates, none with a day above {_MONTHS}, and "
        f"{mixed.texts:,} are texts such as {mixed.text[:20]!r}, which a spreadsheet leaves where it takes days for "
        f"months{example}",
        rows=[row - above + 1 for row in mixed.rows if row >= above],
        suggestion="open the source of the table anew with the order of day and month that it has, or write all dates "
        "as 2020-12-25, and upload the file again",
    )
