"""Limits on one upload: the work that it may take is bounded by the bytes that it has."""

from dataclasses import dataclass, fields, replace

from models.errors import DataError

MIB = 1 << 20
GIB = 1 << 30

FORMULA: dict[str, tuple[int, float]] = {
    "max_columns": (2_000, 1 / 64),
    "max_members": (20_000, 1 / 128),
    "max_cells": (4_000_000, 256),
    "max_text_cells": (250_000, 64),
    "max_pixels": (128 * MIB, 256),
    "max_texts": (500_000, 16),
    "max_text_bytes": (4 * MIB, 100),
    "max_words": (500_000, 1 / 2),
    "max_expanded_bytes": (64 * MIB, 4096),
    "max_memory_bytes": (240 * MIB, 64),
    "max_seconds": (5, 1 / 25_000),
}
"""Limits that grow with the upload: any upload may have the first number, and the second more for each of its bytes.

A file of a few kilobytes takes 5 s of a processor at most. Real files are far away from these limits: a cell of a CSV
has a byte at least, a column of categories in a Parquet file has up to some 110 cells in a byte, and a black and white
drawing of 512 × 512 in a PNG up to some 220 pixels. The fields of `Limits` are ceilings for uploads of any size.
"""

_CURES = {
    "max_columns": "Leave out columns",
    "max_cells": "Leave out rows or columns; most cells of this file repeat others",
    "max_text_cells": "Leave out rows or columns; most cells of this file are empty or repeat others",
    "max_pixels": "Make the images smaller, or leave some out",
    "max_expanded_bytes": "Leave out rows or columns",
    "max_memory_bytes": "Write smaller row groups",
    "max_schema_bytes": "Leave out columns, or give shorter names",
}


class OverLimit(DataError):
    """The data exceed a limit. The message names the limit and its value."""


@dataclass(frozen=True)
class Limits:
    """Limits on an upload. A reader stops at the first limit that it exceeds. Sizes are in bytes."""

    max_rows: int = 10_000_000
    max_columns: int = 10_000
    max_cells: int = 4_000_000_000
    """Rows times columns, as `cells` counts them; numbers in lists of numbers, too."""
    max_text_cells: int = 1_000_000_000
    """The same in formats of text, where each cell takes longer; words in lists of words of any format, too."""
    max_texts: int = 100_000_000
    """Distinct texts in each column and batch."""
    max_text_bytes: int = 8 * GIB
    """Bytes of these."""
    max_words: int = 50_000_000
    """Distinct words that a description may count. Above, it has no size of the vocabulary."""
    max_cell_bytes: int = MIB
    max_line_bytes: int = 64 * MIB
    max_expanded_bytes: int = 8 * GIB
    max_members: int = 1_000_000
    max_image_pixels: int = 16_777_216
    max_pixels: int = 100_000_000_000
    """Pixels of all images together, both as they are in the file and as they are stored."""
    max_classes: int = 1000
    max_schema_bytes: int = MIB
    """Names of columns and classes, and counts, in the description of the dataset."""
    zip_ratio: int = 100
    max_memory_bytes: int = 4 * GIB
    """Memory of the process that reads the upload, in addition to what the process has before it."""
    max_seconds: int = 600
    """Processor time of this process."""
    upload_bytes: int | None = None
    """The size of the upload, if limits depend on it."""

    def for_upload(self, size: int) -> "Limits":
        """The limits for an upload of `size` bytes: those of FORMULA, unless these are lower."""
        lower = {name: min(getattr(self, name), free + int(size * each)) for name, (free, each) in FORMULA.items()}
        return replace(self, **lower, upload_bytes=size)

    def refuse(self, limit: str, what: str) -> OverLimit:
        """The error to raise: `what` is the start of a sentence, such as 'Row 3 has too many columns'."""
        assert limit in {field.name for field in fields(self)}
        is_relative = self.upload_bytes is not None and limit in FORMULA
        size = f" for a file of {self.upload_bytes:,} bytes" if is_relative else ""
        cure = f" {_CURES[limit]}." if limit in _CURES else ""
        return OverLimit(f"{what}; the limit {limit} is {getattr(self, limit):,}{size}.{cure}")

    def check_cells(self, rows: int, columns: int, what: str, *, is_text: bool = False) -> None:
        """Raises OverLimit if a table of this size takes too long. `what` is the subject of the sentence."""
        limit = "max_text_cells" if is_text else "max_cells"
        if cells(rows, columns) > getattr(self, limit):
            raise self.refuse(limit, f"{what} has more than {rows - 1:,} rows of {columns:,} columns, too many cells")


def cells(rows: int, columns: int) -> int:
    """Cells by the time that they take: one of 1,000 columns counts twice, because batches then have few rows."""
    return rows * columns * (1000 + columns) // 1000
