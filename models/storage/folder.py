"""A store in a folder, on a local disk or on a shared file system."""

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile

PIECE = 2**20

MARK = "athanor-store.txt"
MARKED = """Athanor keeps datasets and checkpoints in this folder and recognizes the folder by this file. If the file is
missing, Athanor assumes that the folder is the mount point of a disk that is not mounted. If the disk is lost for good,
put a file of this name into the new folder. Athanor then reports the files of the old disk as lost.
"""


class FolderStore:
    """Files in a folder. A file is written under a temporary name, synced, then renamed: readers see all or nothing."""

    def __init__(self, root: Path, is_used: Callable[[], bool] = lambda: False) -> None:
        """`is_used` returns whether the database names files in this store. An empty folder is then not the store."""
        self.root, self._is_used = root.absolute(), is_used
        self._was_there = False
        root.mkdir(parents=True, exist_ok=True)

    def _path(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        assert parts and not key.startswith("/") and ".." not in parts, key
        self._require_mounted()
        return self.root.joinpath(*parts)

    def _require_mounted(self) -> None:
        """Raises OSError (ENODEV) if the folder is the mount point of a disk that is not mounted.

        The disk would hide files that are written there, and files that are missing there are not lost.
        """
        try:
            (self.root / MARK).stat()
        except FileNotFoundError:
            # A store from a version without this mark has the folder `datasets`.
            if self._was_there or (self._is_used() and not (self.root / "datasets").is_dir()):
                raise OSError(errno.ENODEV, f"the store's folder has no file {MARK}; is its disk mounted?") from None
        except OSError as error:
            raise OSError(errno.ENODEV, f"the store does not answer ({error.strerror})") from error
        else:
            self._was_there = True

    def _found(self, key: str) -> Path:
        """The path of a file, which may not exist. Raises OSError as `_require_mounted` does."""
        path = self._path(key)
        if not path.exists():
            # Check again: the disk may have been unmounted in between.
            self._require_mounted()
        return path

    def put(self, key: str, source: Path) -> str:
        digest = hashlib.sha256()
        target = self._path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not self._was_there:
            (self.root / MARK).write_text(MARKED, "utf-8")
            self._was_there = True
        partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
        try:
            with source.open("rb") as reader, partial.open("wb") as writer:
                while piece := reader.read(PIECE):
                    digest.update(piece)
                    writer.write(piece)
                writer.flush()
                os.fsync(writer.fileno())
            partial.rename(target)
        finally:
            partial.unlink(missing_ok=True)
        for folder in (target.parent, *target.parent.relative_to(self.root).parents):
            sync_folder(self.root / folder)
        # If the disk was unmounted meanwhile, the file is in the mount point.
        self._require_mounted()
        return digest.hexdigest()

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        with self._found(key).open("rb") as file:
            file.seek(start)
            left = self.size(key) - start if stop is None else stop - start
            while left > 0 and (piece := file.read(min(PIECE, left))):
                left -= len(piece)
                yield piece

    def size(self, key: str) -> int:
        return self._found(key).stat().st_size

    def delete(self, prefix: str) -> None:
        path = self._path(prefix)
        while path.is_dir():
            # Another process may be deleting the same folder.
            with suppress(FileNotFoundError):
                shutil.rmtree(path)
        path.unlink(missing_ok=True)

    def keys(self, prefix: str) -> list[str]:
        # os.walk skips a folder that is deleted meanwhile; rglob would fail.
        found = (Path(folder, name) for folder, _, names in os.walk(self._path(prefix)) for name in names)
        return [path.relative_to(self.root).as_posix() for path in found]

    def check(self) -> None:
        self._require_mounted()
        # A real write, since permission does not help on a full disk. The file has no name, so nothing is left behind.
        try:
            with TemporaryFile(dir=self.root) as file:
                file.write(bytes(4096))
        except OSError as error:
            raise OSError(error.errno, f"the store cannot be written to: {error.strerror}") from error


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that the names in it survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
