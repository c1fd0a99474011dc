"""Warnings about data, and findings about results, as lines in a terminal."""

from collections.abc import Iterable

from rich.text import Text

from athanor.contract import Finding, Warned

COLORS = {"info": "cyan", "warning": "yellow", "problem": "red"}
ORDER = ("problem", "warning", "info")
MOST_ROWS = 5


def warnings(found: Iterable[Warned]) -> list[Text]:
    return [_lines("warning", _where(one) + one.message + _rows(one), one.suggestion) for one in found]


def findings(found: Iterable[Finding]) -> list[Text]:
    """The worst first."""
    ordered = sorted(found, key=lambda each: ORDER.index(each.severity))
    return [_lines(one.severity, f"{one.explanation} ({one.rule})", one.suggestion) for one in ordered]


def _lines(severity: str, text: str, suggestion: str | None) -> Text:
    made = Text.assemble((f"{severity}: ", COLORS[severity]), text)
    if suggestion:
        made.append(f"\n  → {suggestion}")
    return made


def _where(one: Warned) -> str:
    # Many messages name their column.
    return f"{one.column}: " if one.column and one.column not in one.message else ""


def _rows(one: Warned) -> str:
    if not one.rows:
        return ""
    more = ", …" if len(one.rows) > MOST_ROWS else ""
    word = "row" if len(one.rows) == 1 else "rows"
    return f" ({word} {', '.join(map(str, one.rows[:MOST_ROWS]))}{more})"
