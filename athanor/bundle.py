"""Bundles: write and read a zip with a trained network and all that is needed to use and to verify it.

A bundle may be from an untrusted source. So only members with known names are read, and none may be compressed: no
member can be larger than the file itself.
"""

import hashlib
import io
import os
import re
import shutil
import zipfile
from pathlib import Path

from athanor.errors import AthanorError
from athanor.files import PREPARATION as PREPARATION
from athanor.files import WEIGHTS as WEIGHTS

CARD, ABOUT, SPEC = "README.md", "bundle.json", "spec.json"
ENVIRONMENT, GOLDENS, TENSORS = "environment.json", "goldens.json", "goldens.safetensors"
MODEL, DIGESTS = "model.onnx", "SHA256SUMS"

ALWAYS = (CARD, ABOUT, SPEC, PREPARATION, ENVIRONMENT, GOLDENS, TENSORS, WEIGHTS)
MEMBERS = (*ALWAYS, MODEL)
"""The members that DIGESTS lists. MODEL is missing if the network cannot be exported to ONNX."""

INPUT, OUTPUT = "inputs", "outputs"
"""The names of the network's input and output in MODEL and in TENSORS."""

MAX_DIFFERENCE = 1e-4
"""The largest absolute difference of an output that counts as the same."""
MOST_DIGESTS = 4096
"""The largest size of DIGESTS in bytes."""

LONGEST_MESSAGE = 600
"""The number of characters of an error."""
PIECE = 2**20
"""The number of bytes that are read at once."""


class Broken(AthanorError):
    """The file is not a bundle, or it was changed after it was written.

    The message may quote it, so control characters, which could change a terminal, are left out.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(each if each.isprintable() else "�" for each in message[:LONGEST_MESSAGE]))


class _Pieces(io.FileIO):
    """A file that is read in small pieces. zipfile reads the list of members at once, however many there are."""

    def read(self, size: int | None = -1) -> bytes:
        wanted = size if size is not None and size >= 0 else os.fstat(self.fileno()).st_size - self.tell()
        if wanted > PIECE:
            raise zipfile.BadZipFile("its list of members is too long")
        return super().read(wanted)


def write(path: Path, sources: dict[str, Path]) -> None:
    """Write files into a bundle, and the digests last. Equal files give equal bytes, because no times are stored."""
    lines = []
    with zipfile.ZipFile(path, "w") as archive:
        for name in MEMBERS:
            if name in sources:
                with sources[name].open("rb") as file:
                    lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
                    large = file.seek(0, os.SEEK_END) > zipfile.ZIP64_LIMIT
                    file.seek(0)
                    with archive.open(_entry(name), "w", force_zip64=large) as member:
                        shutil.copyfileobj(file, member, PIECE)
        archive.writestr(_entry(DIGESTS), "".join(lines))


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.create_system, entry.external_attr = 3, 0o644 << 16
    return entry


def unpack(path: Path, folder: Path) -> None:
    """Write the members of a bundle into an empty folder and check every digest. Raises Broken."""
    try:
        with _Pieces(path) as file, zipfile.ZipFile(file) as archive:
            wanted = _digests(archive, path.stat().st_size)
            for name, sha256 in wanted.items():
                found = hashlib.sha256()
                with archive.open(name) as member, (folder / name).open("wb") as unpacked:
                    while piece := member.read(PIECE):
                        found.update(piece)
                        unpacked.write(piece)
                if found.hexdigest() != sha256:
                    raise Broken(f"{name} has the sha256 {found.hexdigest()}, but {DIGESTS} says {sha256}")
    # zipfile: RuntimeError for an encrypted member or an unknown compression.
    except (zipfile.BadZipFile, EOFError, RuntimeError, UnicodeDecodeError) as error:
        raise Broken(f"{path.name} is not a bundle, or it is damaged: {error}") from error


def _digests(archive: zipfile.ZipFile, size: int) -> dict[str, str]:
    """The SHA-256 of each member by its name. Raises Broken if the members are not those of a bundle."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names) or {*names} - {MODEL} != {*ALWAYS, DIGESTS}:
        odd = sorted(({*names} - {MODEL}) ^ {*ALWAYS, DIGESTS})
        raise Broken(f"its files are not those of a bundle: {', '.join(odd)[:200] or 'one is there twice'}")
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise Broken(f"{entry.filename} is compressed or encrypted, which no file of a bundle is")
        if not 0 <= entry.header_offset <= size - entry.file_size:
            raise Broken(f"{entry.filename} lies outside of the file: it is damaged")
    if sum(entry.file_size for entry in entries) > size:
        raise Broken("its files overlap, which those of a bundle do not")
    if archive.getinfo(DIGESTS).file_size > MOST_DIGESTS:
        raise Broken(f"{DIGESTS} is too long")
    lines = archive.read(DIGESTS).decode("ascii", "replace").splitlines()
    named = [re.fullmatch(r"([0-9a-f]{64})  (\S+)", line) for line in lines]
    wanted = {line[2]: line[1] for line in named if line is not None}
    if len(lines) != len(wanted) or {*wanted} != {*names} - {DIGESTS}:
        raise Broken(f"{DIGESTS} does not list the files of the bundle")
    return wanted
