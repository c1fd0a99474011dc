"""Choose the texts of a column whose words are counted: cutting all texts of a large file into words takes minutes."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

WHOLE = 8 << 20
"""Bytes of distinct texts of a column that are looked at, all of them."""
ONE_IN = 64
"""Of the texts after that, one in so many is looked at, and the longest of each batch."""
GROWTH = 0.7
"""A text of n words has about n ** GROWTH distinct ones (Heaps 1978): exponents from 0.4 to 0.7 are common."""


class TextSample:
    """The texts that are looked at, and how much all texts have of them."""

    def __init__(self) -> None:
        self.rows = 0
        """Rows of the texts that were looked at."""
        self.is_whole = True
        self._bytes = self._sampled_bytes = 0
        self._looked_at = 0

    def take(self, distinct: pa.Array, counts: npt.NDArray[np.int64]) -> tuple[pa.Array, npt.NDArray[np.int64]]:
        """The texts of a batch that are looked at, and the number of rows of each. `distinct` are all its texts."""
        lengths = pc.binary_length(distinct).to_numpy(zero_copy_only=False).astype(np.int64)
        self._bytes += int(lengths @ counts)
        if self._looked_at + int(lengths.sum()) > WHOLE and len(distinct) > 1:
            self.is_whole = False
            chosen = np.unique(np.append(np.arange(0, len(distinct), ONE_IN), lengths.argmax()))
            distinct, counts, lengths = distinct.take(pa.array(chosen)), counts[chosen], lengths[chosen]
        self._looked_at += int(lengths.sum())
        self._sampled_bytes += int(lengths @ counts)
        self.rows += int(counts.sum())
        return distinct, counts

    def total(self, found: int) -> int:
        """An estimate of the number of words in all texts, if `found` are in those that were looked at."""
        return found if self.is_whole else round(found * self._scale)

    def distinct(self, found: int) -> int:
        """An estimate of the number of distinct words in all texts, if `found` are in those that were looked at."""
        return found if self.is_whole else round(found * self._scale**GROWTH)

    @property
    def _scale(self) -> float:
        return self._bytes / max(1, self._sampled_bytes)
