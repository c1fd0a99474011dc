"""Readers of uploaded files. Each format has a module with ``read(path, limits) -> Source``.

Nothing here imports torch or SQL, so that the sandboxed process starts quickly.
"""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from athanor.contract import Hints
from models.data.formats import (
    idx,
    image_folders,
    npz,
    parquet,
    split_files,
    stand_ins,
    text_folders,
    text_formats,
    workbook,
)
from models.data.formats.archive import Archive
from models.data.formats.encoding import is_wide
from models.data.formats.limits import Limits
from models.data.formats.text_file import GZIP
from models.data.table import Source
from models.errors import DataError

FORMATS: dict[str, Callable[..., Source]] = {
    **{name: reader.read for name, reader in text_formats.FORMATS.items()},
    "parquet": parquet.read,
    "npz": npz.read,
    "xlsx": workbook.read,
    "images": image_folders.read,
    "idx": idx.read,
    "texts": text_folders.read,
    "files": split_files.read,
}
"""Readers by the name of their format. Those in `_HINTS` also take the hints of the sender."""

_HINTS: dict[str, frozenset[str]] = {
    **{name: reader.hints for name, reader in text_formats.FORMATS.items()},
    "xlsx": frozenset({"header"}),
    "files": frozenset({"encoding", "delimiter", "header", "decimal", "features"}),
    "images": frozenset({"encoding", "features"}),
    "texts": frozenset({"encoding", "features"}),
    "parquet": frozenset({"features"}),
}
"""The hints that the reader of a format follows. Features are for all formats; most readers need not know them."""

ACCEPTED = (
    ".csv, .tsv, .json, .jsonl, .txt (each also as .gz), .xlsx, .parquet, .npz, or a .zip of images or texts in "
    "class folders, of IDX files, of one data file, or of data files named train, val and test"
)

_SUFFIXES = text_formats.SUFFIXES | {".parquet": "parquet", ".npz": "npz", ".xlsx": "xlsx", ".zip": "zip"}
_ZIPPED = frozenset({"images", "idx", "texts", "files"})
_MAGIC = {"parquet": b"PAR1", "npz": b"PK\x03\x04", "xlsx": b"PK\x03\x04", "zip": b"PK\x03\x04"}


def open_source(name: str, path: Path, limits: Limits, hints: Hints) -> Source:
    """The rows of a file of the format `name`. Raises DataError, also for a hint that the format cannot follow."""
    follows = _HINTS.get(name, frozenset())
    given = [hint for hint in split_files.HINTS if getattr(hints, hint) is not None]
    if useless := [hint for hint in given if hint not in follows]:
        able = ", ".join(other for other, hinted in _HINTS.items() if useless[0] in hinted)
        raise DataError(f"{useless[0]} is for files of the formats {able}; this is {name}. Leave it out.")
    return FORMATS[name](path, limits, hints) if follows else FORMATS[name](path, limits)


def candidates(filename: str, path: Path) -> frozenset[str]:
    """The formats that an uploaded file may have, from the suffix of `filename` and the first bytes alone.

    It parses nothing, so the service may call it. There are several for a zip. Raises DataError for an unknown suffix
    and for content that does not match the suffix. The message lists what is accepted.
    """
    given = PurePosixPath(filename)
    packed = given.suffix.lower() == ".gz"
    suffix = (given.with_suffix("") if packed else given).suffix.lower()
    name = _SUFFIXES.get(suffix)
    if name is None or (packed and name not in text_formats.FORMATS):
        raise DataError(f"The file {filename[-100:]!r} has an unknown format. Upload {ACCEPTED}.")
    with path.open("rb") as stream:
        start = stream.read(1 << 16)
    if not start:
        raise DataError(f"{filename[-100:]} is empty. Upload a file that contains rows.")
    magic = GZIP if packed else _MAGIC.get(name)
    if magic is None:
        _check_text(filename[-100:], start)
    elif not start.startswith(magic):
        wrong = f"is not a {'gzip' if packed else suffix} file: its first bytes are wrong. Upload {ACCEPTED}."
        raise DataError(f"{filename[-100:]} {stand_ins.pointer(start) or stand_ins.page(start) or wrong}")
    return _ZIPPED if name == "zip" else frozenset({name})


def sniff(filename: str, path: Path, limits: Limits | None = None) -> str:
    """The format of an uploaded file, as named in FORMATS. For a zip, it lists the members.

    Raises DataError as `candidates` does, and for a zip whose members fit no format.
    """
    found = candidates(filename, path)
    return _sniff_zip(path, limits or Limits()) if found == _ZIPPED else next(iter(found))


def _check_text(filename: str, start: bytes) -> None:
    if (b"\0" in start and not is_wide(start)) or start.startswith((b"PK\x03\x04", GZIP, b"PAR1", b"%PDF")):
        raise DataError(f"{filename} is not a text file, although its name says so. Upload {ACCEPTED}.")


def _sniff_zip(path: Path, limits: Limits) -> str:
    archive = Archive(path, limits)
    names = [member.filename for member in archive.members]
    archive.close()
    suffixes = {PurePosixPath(name).suffix.lower() for name in names}
    if suffixes & image_folders.SUFFIXES:
        return "images"
    if any(idx.MEMBER.search(name) for name in names):
        return "idx"
    if suffixes & split_files.SUFFIXES == {text_folders.SUFFIX} and text_folders.fits(names):
        return "texts"
    if suffixes & split_files.SUFFIXES:
        return "files"
    shown = ", ".join(name[:100] for name in names[:5]) or "no files"
    raise DataError(f"The zip contains {shown}. Upload {ACCEPTED}.")
