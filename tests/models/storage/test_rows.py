"""Rows as a store: what only they can do wrong."""

from pathlib import Path

import pytest

from models.records.blobs import PIECE
from models.records.database import Database
from models.storage.rows import RowStore


def test_rows_that_go_while_they_are_read_are_missed(database: Database, tmp_path: Path) -> None:
    store = RowStore(database)
    source = tmp_path / "source"
    source.write_bytes(bytes(2 * PIECE))
    store.put("a/b", source)
    pieces = store.read("a/b")
    next(pieces)
    store.delete("a/b")
    with pytest.raises(FileNotFoundError):
        next(pieces)
