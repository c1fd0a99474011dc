"""Spaces between delimiters and quotes."""

from pathlib import Path

import pytest

from athanor.contract import Hints
from models.data.formats import delimited, spaces
from models.data.formats.limits import Limits
from models.data.table import Source


def _read(tmp_path: Path, content: str, hints: Hints = Hints()) -> Source:  # noqa: B008 -- frozen
    (tmp_path / "a.csv").write_text(content, encoding="utf-8", newline="")
    return delimited.read(tmp_path / "a.csv", Limits(), hints)


def _rows(source: Source) -> list[dict[str, str | None]]:
    return [row for batch in source.batches for row in batch.to_pylist()]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('"Month", "1958"\n"JAN",  340\n', [{"Month": "JAN", "1958": "  340"}]),
        ('a, "b", "c"\n5, "x, y", "good"\n', [{"a": "5", "b": "x, y", "c": "good"}]),
        ('a; "b"\n 5; "x"\n', [{"a": " 5", "b": "x"}]),
        ('"a" , "b"\n "x" , "y ""q, "" z" \n', [{"a": "x", "b": 'y "q, " z'}]),
        ('"a", "b"\n"x\n , y", "z"\r\n', [{"a": "x\n , y", "b": "z"}]),
        ('"a","b"\n"one, ""two""","z"\n', [{"a": 'one, "two"', "b": "z"}]),
    ],
)
def test_spaces_before_quotes_do_not_count(tmp_path: Path, content: str, rows: list[dict[str, str]]) -> None:
    assert _rows(_read(tmp_path, content, Hints(header=True))) == rows


def test_the_dialect_says_so(tmp_path: Path) -> None:
    assert _read(tmp_path, 'a, "b"\n5, "x"\n').dialect["quoting"] == "after spaces"
    assert "quoting" not in _read(tmp_path, 'a,"b"\n5,"x"\n').dialect


def test_quotes_within_values_stay(tmp_path: Path) -> None:
    rows = _rows(_read(tmp_path, 'a,b\n1, "Bob" Smith\n2, "Al" Gore\n'))
    assert [row["b"] for row in rows] == [' "Bob" Smith', ' "Al" Gore']


def test_a_file_without_them_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "without", lambda lines, mark: pytest.fail("rewritten"))
    assert _rows(_read(tmp_path, 'a,"b"\n5,"x"\n6,y, \n7, z\n')) == [{"a": "5", "b": "x"}, {"a": "7", "b": " z"}]
