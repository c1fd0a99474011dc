"""Tables with one line per row and as many columns as fit into the terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

SHORT_ID = 20
"""Length of a short id that is still unique: `job_`, the millisecond of its creation, and some random characters."""
GAP = 2


@dataclass(frozen=True)
class Column:
    """A column with the texts of its rows."""

    name: str
    texts: Sequence[str | Text]
    least: int | None = None
    """The least width in characters if texts must be cut. None: texts are never cut."""
    optional: bool = False
    """Whether the column is left out if there is no room for it."""
    mark: bool = True
    """Whether a cut text ends in an ellipsis. A short id has none, because commands accept it as it is."""

    @property
    def size(self) -> int:
        return max(_text(each).cell_len for each in (self.name, *self.texts))

    @property
    def smallest(self) -> int:
        return self.size if self.least is None else min(self.size, max(self.least, len(self.name)))


def ids(name: str, texts: Sequence[str]) -> Column:
    """A column of ids. They are shown whole, or all shortened to SHORT_ID characters, which commands accept too."""
    return Column(name, texts, SHORT_ID, mark=False)


def table(columns: Sequence[Column], width: int) -> Table:
    """A table at most `width` characters wide. It is wider if columns that cannot be cut need more."""
    sizes = {column.name: column.smallest for column in columns if not column.optional}
    free = width - sum(sizes.values()) - GAP * (len(sizes) - 1)
    for column in columns:
        if column.optional and column.smallest + GAP <= free:
            sizes[column.name] = column.smallest
            free -= column.smallest + GAP
    shown = [column for column in columns if column.name in sizes]
    # Columns of ids come last, because a short id is enough.
    for column in sorted(shown, key=lambda each: not each.mark):
        more = min(max(0, free), column.size - sizes[column.name])
        if more and not column.mark and sizes[column.name] + more < column.size:
            # A longer part of an id does not help, so the id is whole or short.
            continue
        sizes[column.name] += more
        free -= more
    return draw(shown, sizes)


def draw(columns: Sequence[Column], sizes: Mapping[str, int]) -> Table:
    """A table with columns of these sizes, by name. Longer texts are cut and not wrapped: a row has one line."""
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(
            Text(column.name),
            no_wrap=True,
            overflow="ellipsis" if column.mark else "crop",
            max_width=sizes[column.name],
        )
    for row in zip(*(column.texts for column in columns), strict=True):
        made.add_row(*map(_text, row))
    return made


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(cell.replace("\n", " "))
