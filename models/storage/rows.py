"""A store in the database, so that the API and the workers need no shared folder."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from models.records import blobs
from models.records.blobs import PIECE
from models.records.database import Database


class RowStore:
    def __init__(self, database: Database) -> None:
        self.database = database

    def put(self, key: str, source: Path) -> str:
        digest = hashlib.sha256()
        with source.open("rb") as file, self.database.writing() as tx:
            blobs.remove(tx, key)
            blobs.write(tx, key, _pieces(file, digest.update))
        return digest.hexdigest()

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        number, skip = divmod(start, PIECE)
        size = self.size(key)
        left = (size if stop is None else min(stop, size)) - start
        while left > 0:
            # One transaction for each piece: a slow download must not hold a connection.
            with self.database.reading() as tx:
                data = blobs.read_piece(tx, key, number)
            if data is None:
                raise FileNotFoundError(key)
            piece = data[skip : skip + left]
            left -= len(piece)
            number, skip = number + 1, 0
            yield piece

    def size(self, key: str) -> int:
        with self.database.reading() as tx:
            size = blobs.size(tx, key)
        if size is None:
            raise FileNotFoundError(key)
        return size

    def delete(self, prefix: str) -> None:
        with self.database.writing() as tx:
            blobs.remove(tx, prefix)

    def keys(self, prefix: str) -> list[str]:
        with self.database.reading() as tx:
            return blobs.keys(tx, prefix)

    def check(self) -> None:
        """Does nothing: `/readyz` checks the database itself."""


def _pieces(file: BinaryIO, see: Callable[[bytes], None]) -> Iterator[bytes]:
    """Yield the pieces of a file, and call `see` with each. An empty file has one empty piece, so that it exists."""
    piece = file.read(PIECE)
    yield piece
    see(piece)
    while piece := file.read(PIECE):
        see(piece)
        yield piece
