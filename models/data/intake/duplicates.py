"""Find duplicate rows by 64-bit digests."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_MOST_ROWS = 2_000_000
_MOST_CELLS = 40_000_000
_ABSENT = 0x9E3779B97F4A7C15
_SPREAD = np.uint64(0xBF58476D1CE4E5B9)
_SHIFT = np.uint64(31)


class Duplicates:
    """Keeps 8-byte digests of the first rows: at most two million, and fewer for tables with many columns."""

    def __init__(self, columns: int) -> None:
        self._most = min(_MOST_ROWS, _MOST_CELLS // max(1, columns))
        self._digests: list[npt.NDArray[np.uint64]] = []
        self.checked = 0

    def see(self, columns: Sequence[pa.Array]) -> None:
        """Add the digests of one batch of rows, up to the limit."""
        rows = min(len(columns[0]), self._most - self.checked)
        if not rows:
            return
        digests = np.zeros(rows, np.uint64)
        for values in columns:
            digests = (digests ^ _numbers(values.slice(0, rows))) * _SPREAD
            digests ^= digests >> _SHIFT
        self._digests.append(digests)
        self.checked += rows

    def rows(self) -> npt.NDArray[np.int64]:
        """Numbers (from 1, ascending) of the rows that equal an earlier row."""
        digests = np.concatenate(self._digests) if self._digests else np.zeros(0, np.uint64)
        ordered = np.sort(digests)
        # Most tables have no equal rows, and to sort places takes ten times as long as to sort digests.
        if not (ordered[1:] == ordered[:-1]).any():
            return np.zeros(0, np.int64)
        order = np.argsort(digests, kind="stable")
        again = order[1:][digests[order[1:]] == digests[order[:-1]]]
        return np.sort(again) + 1


def _numbers(values: pa.Array) -> npt.NDArray[np.uint64]:
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        wide = pa.float64() if pa.types.is_floating(kind) else kind if pa.types.is_uint64(kind) else pa.int64()
        bits: npt.NDArray[np.uint64] = pc.fill_null(values, 0).cast(wide).to_numpy().view(np.uint64)
        if not values.null_count:
            return bits
        present = values.is_valid().to_numpy(zero_copy_only=False)
        return np.where(present, bits, np.uint64(_ABSENT))
    # Equal cells share one hash. A column of few distinct values takes no Python for each row.
    if pa.types.is_string(values.type) or pa.types.is_boolean(values.type):
        encoded = pc.dictionary_encode(values, null_encoding="encode")
        places: npt.NDArray[np.int32] = encoded.indices.to_numpy(zero_copy_only=False)
        return _hashes(encoded.dictionary)[places]
    return _hashes(values)


def _hashes(values: pa.Array) -> npt.NDArray[np.uint64]:
    hashes = (hash(tuple(value) if isinstance(value, list) else value) for value in values.to_pylist())
    return np.fromiter(hashes, np.int64, len(values)).view(np.uint64)
