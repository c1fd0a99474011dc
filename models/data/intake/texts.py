"""Counts the distinct texts of an upload: each takes time and memory, however well the file compresses it."""

import pyarrow as pa
import pyarrow.compute as pc

from models.data.formats.limits import Limits


class Texts:
    """The distinct texts and words of all columns so far."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._texts = self._bytes = self._words = 0

    def take(self, distinct: pa.Array) -> None:
        """Count the distinct texts of one column in one batch. Raises OverLimit if there are too many by now."""
        self._texts += len(distinct)
        self._bytes += pc.sum(pc.binary_length(distinct).cast(pa.int64())).as_py() or 0
        if self._texts > self._limits.max_texts:
            raise self._limits.refuse("max_texts", f"There are more than {self._texts:,} distinct texts")
        if self._bytes > self._limits.max_text_bytes:
            raise self._limits.refuse("max_text_bytes", f"The distinct texts have more than {self._bytes:,} bytes")

    def may_keep(self, words: int) -> bool:
        """Whether a description may keep so many more words until its end."""
        self._words += words
        return self._words <= self._limits.max_words
