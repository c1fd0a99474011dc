"""The interface of all stores, and the choice of the store that an installation uses."""

import errno
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlparse

from safetensors import SafetensorError, safe_open

from models.records import datasets
from models.records.database import Database
from models.settings import Settings

DAMAGE = {number for number, name in errno.errorcode.items() if name in ("EIO", "EBADMSG", "EUCLEAN")}
"""Error numbers of a file with bad sectors or checksums."""


class Corrupt(Exception):
    """The stored file is changed, unreadable or missing."""


class Store(Protocol):
    """Files by key. A key is a relative path of ids and plain names.

    Every method raises OSError if the disk fails, or DatabaseUnavailable if the files are rows of the database.
    """

    def put(self, key: str, source: Path) -> str:
        """Store a copy of `source` that survives a power cut once this returns. An existing file is replaced.

        Returns the SHA-256 of the stored bytes.
        """

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop` in pieces of at most 1 MiB. Raises FileNotFoundError."""

    def size(self, key: str) -> int:
        """The size of the file in bytes. Raises FileNotFoundError."""

    def delete(self, prefix: str) -> None:
        """Delete the file `prefix` and all files below it, if there are any."""

    def keys(self, prefix: str) -> list[str]:
        """The keys of all files below `prefix`, half-written ones included."""

    def check(self) -> None:
        """Raises OSError if the store cannot be written."""


def open_store(settings: Settings, database: Database) -> Store:
    """The store of the settings. Default: the data folder with SQLite, rows with PostgreSQL. Raises ValueError."""
    from models.storage.folder import FolderStore
    from models.storage.rows import RowStore

    named = settings.store
    if named is None:
        named = (settings.data.absolute() / "store").as_uri() if settings.is_sqlite else "database"
    if named == "database":
        return RowStore(database)
    url = urlparse(named)
    if url.scheme == "file" and url.path:
        return FolderStore(Path(unquote(url.path)), lambda: _names_files(database))
    raise ValueError(f"ATHANOR_STORE is '{named}'; it can be file:///a/folder or database")


def _names_files(database: Database) -> bool:
    with database.reading() as tx:
        return not datasets.is_empty(tx)


def fetch(store: Store, key: str, destination: Path, sha256: str | None = None) -> None:
    """Copy a stored file to `destination`. Raises Corrupt, also if `sha256` is given and differs, and OSError."""
    partial = destination.with_name(destination.name + ".part")
    try:
        with partial.open("wb") as file:
            for piece in checked(store, key, sha256):
                file.write(piece)
        partial.rename(destination)
    finally:
        partial.unlink(missing_ok=True)


def fetch_header(store: Store, key: str, destination: Path, size: int) -> None:
    """Copy only the header (names and shapes) of a safetensors file of `size` bytes. The values are a hole.

    Raises Corrupt if the stored file has another size or no valid header; OSError.
    """
    start = b"".join(checked(store, key, stop=8))
    header = start + b"".join(checked(store, key, start=8, stop=min(size, 8 + int.from_bytes(start, "little"))))
    try:
        if len(start) < 8 or store.size(key) != size:
            raise ValueError("it is truncated")
        with destination.open("wb") as file:
            file.write(header)
            file.truncate(size)
        with safe_open(destination, framework="np"):
            pass
    except (ValueError, FileNotFoundError, SafetensorError) as error:
        raise Corrupt(f"{key}: {error}") from error


def fetch_dataset(store: Store, database: Database, dataset_id: str, destination: Path) -> None:
    """Copy a dataset's rows to `destination`. Raises Corrupt, NoResultFound, OSError.

    If a built-in dataset is corrupt, its row is marked as damaged.
    """
    tried = ""
    while True:
        with database.reading() as tx:
            blob = datasets.blob_of(tx, dataset_id)
        try:
            return fetch(store, blob.key, destination, blob.sha256)
        except Corrupt:
            if blob.key == tried:
                with database.writing() as tx:
                    datasets.mark_damaged(tx, dataset_id, blob.key)
                raise
            # The rows may just have been restored under another key.
            tried = blob.key


def checked(
    store: Store, key: str, sha256: str | None = None, start: int = 0, stop: int | None = None
) -> Iterator[bytes]:
    """Yield the bytes of a stored file from `start` to `stop`, in pieces.

    Raises OSError, and Corrupt: at the end, if `sha256` is given and differs.
    """
    digest = hashlib.sha256()
    try:
        for piece in store.read(key, start, stop):
            digest.update(piece)
            yield piece
    except FileNotFoundError as error:
        raise Corrupt(f"{key}: the file is missing") from error
    except OSError as error:
        if error.errno not in DAMAGE:
            raise
        try:
            store.check()
        except OSError as failing:
            # If the whole disk fails, the file may still be intact.
            if failing.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise OSError(errno.ENODEV, failing.strerror) from error
        raise Corrupt(f"{key}: {error.strerror}") from error
    if sha256 is not None and digest.hexdigest() != sha256:
        raise Corrupt(f"{key}: sha256 is {digest.hexdigest()}, expected {sha256}")
