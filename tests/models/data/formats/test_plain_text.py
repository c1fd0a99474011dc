"""Plain text."""

from pathlib import Path

from models.data.formats import plain_text
from models.data.formats.limits import Limits


def test_lines_are_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("one\r\n\nthree é\u2028x".encode())
    batches = list(plain_text.read(path, Limits()).batches)
    assert [row["text"] for batch in batches for row in batch.to_pylist()] == ["one", "", "three é\u2028x"]
