"""Plain numerals in a column of strings, read at once: most cells of most tables are such."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ZERO, _NINE, _PLUS, _MINUS = b"09+-"


def parse(values: pa.Array) -> pa.Array | None:
    """The numbers [N] in float64 if every string that is not null is a plain numeral, else None.

    A plain numeral has digits, and may have a sign, a point and an exponent: 7, -0.5, 1e-3. White space, leading zeros
    as in 007, and words such as nan are none: they take a slower look.
    """
    try:
        numbers = values.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    if pc.all(pc.is_finite(numbers)).as_py() is False or _has_leading_zeros(values):
        return None
    return numbers


def _has_leading_zeros(values: pa.Array) -> bool:
    offsets, data = values.buffers()[1:3]
    if data is None or not len(data):
        return False
    letters = np.frombuffer(data, np.uint8)
    ends = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1]
    last = len(letters) - 1
    starts = np.minimum(ends[:-1], last)
    signs = (letters[starts] == _MINUS) | (letters[starts] == _PLUS)
    starts = np.minimum(starts + signs, last)
    # Only a numeral of two characters or more can have a digit after its zero.
    zeros = np.flatnonzero((letters[starts] == _ZERO) & (starts + 1 < ends[1:]))
    following = letters[starts[zeros] + 1]
    return bool(((following >= _ZERO) & (following <= _NINE)).any())
