"""A store in a folder, on a local disk or on one that all machines share."""

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
MARKED = """Athanor keeps datasets and checkpoints in this folder, and knows it by this file: where the file is missing,
the folder is taken for the place of a disk that is not mounted. If the disk is lost for good, put a file of this name
into the folder that takes its place; what was on the disk is then called lost.
"""


class FolderStore:
    """Files in a folder. A file is written under another name, synced, then renamed: readers see it whole or not."""

    def __init__(self, root: Path, is_used: Callable[[], bool] = lambda: False) -> None:
        """`is_used` says whether files are known to lie in it, so that an empty folder cannot be this store."""
        self.root, self._is_used = root.absolute(), is_used
        self._was_there = False
        root.mkdir(parents=True, exist_ok=True)

    def _path(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        assert parts and not key.startswith("/") and ".." not in parts, key
        self._insist()
        return self.root.joinpath(*parts)

    def _insist(self) -> None:
        """Raises OSError (ENODEV) if the folder is the mount point of a disk that is not mounted.

        Files that are written there would be hidden by the disk, and files that are missing there are not lost.
        """
        try:
            (self.root / MARK).stat()
        except FileNotFoundError:
            # One that is older than marks has its files.
            if self._was_there or (self._is_used() and not (self.root / "datasets").is_dir()):
                raise OSError(errno.ENODEV, "the store's folder is not the one it was; is its disk mounted?") from None
        except OSError as error:
            raise OSError(errno.ENODEV, f"the store does not answer ({error.strerror})") from error
        else:
            self._was_there = True

    def _found(self, key: str) -> Path:
        """The path of a file, whether it exists or not. Raises OSError as `_insist` does."""
        path = self._path(key)
        if not path.exists():
            # Once more: the disk may have gone between the two looks.
            self._insist()
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
        # Or the disk has gone meanwhile, and this lies in its place.
        self._insist()
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
            # Another may be removing the same, and be ahead of us.
            with suppress(FileNotFoundError):
                shutil.rmtree(path)
        path.unlink(missing_ok=True)

    def keys(self, prefix: str) -> list[str]:
        # os.walk passes over a folder that is removed meanwhile, where rglob would fail.
        found = (Path(folder, name) for folder, _, names in os.walk(self._path(prefix)) for name in names)
        return [path.relative_to(self.root).as_posix() for path in found]

    def check(self) -> None:
        self._insist()
        # Written, not only asked for: who may write to a full disk still cannot. Without a name, so nothing is left.
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
