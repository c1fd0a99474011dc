"""Read an untrusted zip: members are checked before they are opened, and their bytes are counted while read."""

import io
import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from models.data import table
from models.data.formats import member_names, stand_ins
from models.data.formats.limits import MIB, Limits
from models.errors import DataError

PARTS: dict[str, str] = {**table.PARTS, "t10k": "test"}
"""The part of a split that a file or folder of this name contains."""
PART = "part"
"""Name of the column that readers add when file or folder names give the part of the split."""

NUMBERS = 16 * MIB
"""Bytes of numbers that any archive may expand to: arrays of zeros and ones are often small files."""
_SHORT = MIB
"""Bytes of a directory that any zip may have, besides a half of its own bytes. Its files are counted afterwards."""
_LOCAL = 30
"""Bytes before the name of a member at its place in a zip."""
_LONGEST_NAME = 1000

_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, OSError)
"""Errors of zipfile: RuntimeError is for an encrypted member or an unknown compression."""


class Archive:
    """The files of a zip, without directories, dotfiles and ``__MACOSX``.

    Raises DataError for encrypted members, links, members that overlap, long or absolute names and names with ``..``;
    OverLimit for too many members, without reading all of them. Bytes are counted while they are read, because the
    sizes in a zip's directory can be wrong.
    """

    def __init__(self, path: Path, limits: Limits, free: int = MIB) -> None:
        """`free`: the bytes that any archive may expand to, however small it is."""
        self.limits, self._free = limits, free
        self._packed = path.stat().st_size
        self._counted: dict[int, int] = {}
        self._total = 0
        self._file = _Listed(path, limits)
        try:
            self._zip = zipfile.ZipFile(self._file)
            self._file.longest = None
            members = self._zip.infolist()
            if len(members) > limits.max_members:
                raise limits.refuse("max_members", f"The zip has {len(members):,} members")
            member_names.decode(members)
            for member in members:
                _check(member)
            _check_places(members, self._packed)
        except DataError:
            self._file.close()
            raise
        except (*_BROKEN, ValueError) as error:
            self._file.close()
            raise DataError(f"The zip archive cannot be read ({error}). Create it again.") from error
        seen = [member for member in members if not _hidden(member.filename)]
        self.members = [member for member in seen if not member.is_dir()]
        self.folders = [member.filename for member in seen if member.is_dir()]

    @contextmanager
    def open(self, member: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
        """The bytes of one member. A damaged member raises DataError here or while it is read, and a pointer here."""
        try:
            with self._zip.open(member) as stream:
                content = io.BufferedReader(_Counted(self, member, stream), buffer_size=MIB >> 4)
                if said := stand_ins.pointer(content.peek(stand_ins.LENGTH)):
                    raise DataError(f"{member.filename} {said}")
                yield content
        except DataError:
            raise
        except _BROKEN as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise DataError(f"{member.filename} in the zip is damaged ({error}). Create the zip again.") from error

    def count(self, member: zipfile.ZipInfo, position: int) -> None:
        """Record that `member` was read up to `position`. Bytes read again are not counted again. Raises OverLimit."""
        new = position - self._counted.get(member.header_offset, 0)
        if new > 0:
            self._counted[member.header_offset] = position
            self.expand(new)

    def expand(self, count: int) -> None:
        """Record that `count` more bytes were unpacked from the archive. Raises OverLimit."""
        self._total += count
        if self._total > self.limits.max_expanded_bytes:
            raise self.limits.refuse("max_expanded_bytes", "The unpacked zip is too large")
        if self._total > self._free and self._total > self.limits.zip_ratio * self._packed:
            raise self.limits.refuse(
                "zip_ratio", f"The zip's {self._packed:,} bytes expand to more than {self._total:,}"
            )

    def close(self) -> None:
        self._zip.close()
        self._file.close()


class _Listed(io.FileIO):
    """The file of a zip. While `longest` is set, no more bytes can be read at once: ZipFile reads the directory so."""

    def __init__(self, path: Path, limits: Limits) -> None:
        super().__init__(path)
        self._limits = limits
        self.longest: int | None = _SHORT + path.stat().st_size // 2

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and self.longest is not None and size > self.longest:
            raise self._limits.refuse("max_members", f"The zip lists too many files, in {size:,} bytes")
        return super().read(size) or b""

    def __del__(self) -> None:
        # As ZipFile does with a file that it opened itself.
        self.close()


class _Counted(io.RawIOBase):
    """A member's stream that reports to the archive how many bytes were read."""

    def __init__(self, archive: Archive, member: zipfile.ZipInfo, stream: IO[bytes]) -> None:
        self._archive, self._member, self._stream = archive, member, stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._archive.count(self._member, self._stream.tell())
        return len(data)


def _check(member: zipfile.ZipInfo) -> None:
    # ZipFile cuts a name at its first zero.
    name = member.orig_filename if "\0" in member.orig_filename else member.filename
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or name[1:2] == ":":
        raise DataError(f"The zip has a member called {name!r}. Names must be relative, use / and not contain '..'.")
    if len(name) > _LONGEST_NAME:
        raise DataError(f"A name in the zip, {name[:50]!r}…, has more than {_LONGEST_NAME:,} characters. Shorten it.")
    if member.flag_bits & 0x1:
        raise DataError(f"{name} in the zip is encrypted. Create the zip again without a password.")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise DataError(f"{name} in the zip is a link or a device. Create the zip again with regular files only.")


def _check_places(members: list[zipfile.ZipInfo], size: int) -> None:
    """Members are within the `size` bytes of the file, and share none: a small archive could be large otherwise."""
    end = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        start, before = member.header_offset, end
        end = start + _LOCAL + len(member.orig_filename) + member.compress_size
        if start < 0 or end > size:
            raise DataError(f"{member.filename} in the zip lies outside of the file. Create the zip again.")
        if start < before:
            raise DataError(f"{member.filename} in the zip overlaps another member. Create the zip again.")


def _hidden(name: str) -> bool:
    return any(piece.startswith(".") or piece == "__MACOSX" for piece in PurePosixPath(name).parts)
