"""Columns that number or name the rows: a job that learns from them learns the order or the rows by heart."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from athanor.contract import Column
from models.data.checks.sample import Sample, codes

FEWEST = 10
"""With fewer rows, different values say nothing."""
MANY = 100
"""Rows from which whole numbers that rise from row to row are pointed out, whatever the column is called."""

_NAMES = re.compile(
    r"id|ids|idx|index|uuid|guid|key|pk|row|rowid|rownum|no|nr|num|number|nummer|serial|code|hash|sku|isbn|"
    r"barcode|matricule|account|ticket|invoice|order|phone|mobile|tel|telephone|ssn|vin|imei|passport|iban"
)
_GLUED = re.compile(
    r"(id|uuid|guid|编号|序号|学号|工号|卡号|账号|单号|号码|证号|身份证|手机号?|电话|番号|번호)$", re.IGNORECASE
)
_ENDS_IN_ID = re.compile(
    r"(un|pre|re)?paid|acid|humid|bid|grid|covid|(in)?valid|liquid|solid|fluid|mid|aid|rapid|void|hybrid"
)
_INDEX = re.compile(r"Unnamed: \d+|__index_level_\d+__|level_\d+")
"""Names that pandas gives to an index that is written as a column."""
_QUANTITIES = re.compile(
    r"t|x|time|timestamp|year|date|day|month|week|hour|minute|second|step|epoch|age|iteration|frame|period|"
    r"depth|position|distance|level"
)
"""Names of quantities that may rise by one from row to row and are worth learning from."""

_UUID = r"^\{?[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?$"
_HEX = r"^[0-9a-fA-F]{16,64}$"
_CODE = r"^[\p{L}#][\p{L}_#:./-]*[0-9][0-9\p{L}_#:./-]*$"
_EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_LONGEST = 64
DIGITS = 8
"""Digits of a number from which an identifier is likely, if all numbers have as many."""
_EPOCH = (900_000_000, 2_200_000_000)
"""Seconds since 1970, from 1998 to 2039."""
_SCALES = (1, 10**3, 10**6, 10**9)
_DAYS = (19_000_101, 21_001_231)
"""Days as whole numbers, such as 20240131."""
_ROUND = 10
_SHAPES = 3


def words(name: str) -> list[str]:
    """The words of a column's name in lower case: customer and id for customer_id, CustomerID and 'customer id'."""
    return [word.lower() for word in re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])", name)]


def is_named_id(name: str) -> bool:
    """Whether the last word of a name says that the column identifies something."""
    found = words(name)
    if _INDEX.fullmatch(name.strip()):
        return True
    if found and _ENDS_IN_ID.fullmatch(found[-1]):
        return False
    return (bool(found) and _NAMES.fullmatch(found[-1]) is not None) or bool(_GLUED.search(name.strip()))


def _is_quantity(name: str) -> bool:
    return any(_QUANTITIES.fullmatch(word) for word in words(name))


def identifier(column: Column, sample: Sample) -> str | None:
    """Why the column looks like an identifier of the rows. None if it does not."""
    values = sample.columns[column.name]
    present = len(values) - values.null_count
    if present < FEWEST or values.null_count or codes(values)[1] < present:
        return None
    name = column.name.strip()
    counted = f"its {present:,} values all differ{sample.extent}"
    if pa.types.is_string(values.type):
        if not _are_codes(values, named=is_named_id(name)):
            return None
        return f"it looks like an identifier: {counted}, and have no spaces in them, such as {values[0].as_py()!r}"
    # Numbers with a unit, say, are quantities.
    if not column.integer or column.settings:
        return None
    numbers = values.to_numpy(zero_copy_only=False)
    first, last = f"{int(numbers[0]):,}", f"{int(numbers[-1]):,}"
    if _counts_rows(numbers, sample) and not _is_quantity(name):
        return f"it numbers the rows: {counted}, from {first} in the first row to {last} in the last"
    if is_named_id(name):
        return f"it looks like an identifier by its name, and {counted}"
    return None


def resembles(column: Column, sample: Sample) -> str | None:
    """Why whole numbers may be identifiers, whatever they are called: they are long, equally long, and all differ."""
    values = sample.columns[column.name]
    if not column.integer or column.settings or len(values) < FEWEST or values.null_count or _is_quantity(column.name):
        return None
    numbers = np.abs(values.to_numpy(zero_copy_only=False))
    digits = len(str(int(numbers.min())))
    if digits < DIGITS or len(str(int(numbers.max()))) != digits or codes(values)[1] < len(values):
        return None
    if any(_EPOCH[0] * scale <= numbers.min() and numbers.max() <= _EPOCH[1] * scale for scale in _SCALES):
        return None
    if _DAYS[0] <= numbers.min() and numbers.max() <= _DAYS[1]:
        return None
    if np.gcd.reduce(numbers.astype(np.int64)) >= _ROUND:
        # Sums of money in thousands, say.
        return None
    return f"its {len(values):,} whole numbers all differ and have {digits} digits each"


def rises(column: Column, sample: Sample) -> str | None:
    """What is odd about whole numbers that rise from row to row, where nothing else says that they identify it."""
    values = sample.columns[column.name]
    if not column.integer or len(values) < MANY or values.null_count or _is_quantity(column.name):
        return None
    steps = np.diff(values.to_numpy(zero_copy_only=False))
    if not (bool((steps > 0).all()) or bool((steps < 0).all())):
        return None
    way = "larger" if steps[0] > 0 else "smaller"
    return f"{len(values):,} rows have {len(values):,} different whole numbers, each {way} than the one before"


def _counts_rows(numbers: np.ndarray[tuple[int], np.dtype[np.int64]], sample: Sample) -> bool:
    """Whether the numbers rise or fall by one from row to row."""
    rising, falling = numbers - sample.rows, numbers + sample.rows
    if bool((rising == rising[0]).all()):
        # A few rows from any number on may be years, say.
        return int(rising[0]) in (-1, 0) or len(numbers) >= MANY
    return bool((falling == falling[0]).all()) and len(numbers) >= MANY


def _are_codes(values: pa.Array, *, named: bool) -> bool:
    if pc.max(pc.binary_length(values)).as_py() > _LONGEST:
        return False
    if pc.any(pc.match_substring_regex(values, r"\s")).as_py():
        return False
    if named or any(pc.all(pc.match_substring_regex(values, each)).as_py() for each in (_UUID, _HEX, _EMAIL)):
        return True
    if not pc.all(pc.match_substring_regex(values, _CODE)).as_py():
        return False
    return len(pc.replace_substring_regex(values, r"[0-9]+", "0").unique()) <= _SHAPES
