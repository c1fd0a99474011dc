"""Tables whose cells wrap, and the numbers in them."""

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

UNBROKEN = frozenset({"id", "kind", "state", "role"})
"""Columns of short words, and of ids, which users copy. Nothing in them is broken into two lines."""


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def table(*columns: str) -> Table:
    made = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in columns:
        made.add_column(Text(name), no_wrap=name in UNBROKEN, overflow="fold")
    return made


def facts() -> Table:
    """Rows of a bold name and a text."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    return made
