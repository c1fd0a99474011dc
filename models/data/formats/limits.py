"""Limits on the size of one upload."""

from dataclasses import dataclass, fields

from models.errors import DataError

MIB = 1 << 20
GIB = 1 << 30


class OverLimit(DataError):
    """The data exceed a limit. The message names the limit and its value."""


@dataclass(frozen=True)
class Limits:
    """Limits on an upload. A reader stops at the first limit that it exceeds. Sizes are in bytes."""

    max_rows: int = 10_000_000
    max_columns: int = 10_000
    max_cell_bytes: int = MIB
    max_line_bytes: int = 64 * MIB
    max_expanded_bytes: int = 8 * GIB
    max_members: int = 1_000_000
    max_image_pixels: int = 16_777_216
    max_classes: int = 1000
    zip_ratio: int = 100
    max_memory_bytes: int = 4 * GIB

    def refuse(self, limit: str, what: str) -> OverLimit:
        """The error to raise: `what` is the start of a sentence, such as 'Row 3 has too many columns'."""
        assert limit in {field.name for field in fields(self)}
        return OverLimit(f"{what}; the limit {limit} is {getattr(self, limit):,}.")
