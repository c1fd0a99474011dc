"""A bundle: a trained network in a zip, with all that is needed to use it and to check it. What is in it, and reading.

A bundle may come from anywhere: members are read by their known names alone, and none is compressed, so that nothing in
it is larger than the file itself.
"""

import hashlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from athanor.errors import AthanorError

CARD, ABOUT, SPEC, PREPARATION = "README.md", "bundle.json", "spec.json", "preparation.json"
ENVIRONMENT, GOLDENS, TENSORS, WEIGHTS = (
    "environment.json",
    "goldens.json",
    "goldens.safetensors",
    "weights.safetensors",
)
MODEL, DIGESTS = "model.onnx", "SHA256SUMS"

ALWAYS = (CARD, ABOUT, SPEC, PREPARATION, ENVIRONMENT, GOLDENS, TENSORS, WEIGHTS)
MEMBERS = (*ALWAYS, MODEL)
"""What DIGESTS has a line for; MODEL where the network could be exported."""

MAX_DIFFERENCE = 1e-4
"""The largest absolute difference of an output that counts as the same."""
MOST_DIGESTS = 4096
MOST_JSON = 256 * 2**20


class Broken(AthanorError):
    """The file is no bundle, or not as it was written."""


def write(path: Path, sources: dict[str, Path]) -> None:
    """Put files into a bundle, digests last. Equal files make equal bytes: no times, no compression."""
    lines = []
    with zipfile.ZipFile(path, "w") as archive:
        for name in MEMBERS:
            if name in sources:
                with sources[name].open("rb") as file:
                    lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
                    large = file.seek(0, os.SEEK_END) > zipfile.ZIP64_LIMIT
                    file.seek(0)
                    with archive.open(_entry(name), "w", force_zip64=large) as member:
                        shutil.copyfileobj(file, member, 2**20)
        archive.writestr(_entry(DIGESTS), "".join(lines))


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.create_system, entry.external_attr = 3, 0o644 << 16
    return entry


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip, with every digest checked. Raises Broken."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive, path.stat().st_size)
            yield archive
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
        raise Broken(f"{path.name} is no bundle, or a damaged one: {error}") from error


def read_json(archive: zipfile.ZipFile, name: str) -> Any:
    """A JSON member of an `opened` bundle. Raises Broken."""
    if archive.getinfo(name).file_size > MOST_JSON:
        raise Broken(f"{name} has more than {MOST_JSON:,} bytes")
    try:
        return json.loads(archive.read(name))
    except ValueError as error:
        raise Broken(f"{name} is not JSON: {error}") from error


def extract(archive: zipfile.ZipFile, name: str, folder: Path) -> Path:
    """A member of an `opened` bundle as a file in `folder`."""
    assert name in MEMBERS
    with archive.open(name) as source, (folder / name).open("wb") as file:
        shutil.copyfileobj(source, file, 2**20)
    return folder / name


def _check(archive: zipfile.ZipFile, size: int) -> None:
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names) or {*names} - {MODEL} != {*ALWAYS, DIGESTS}:
        odd = sorted(({*names} - {MODEL}) ^ {*ALWAYS, DIGESTS})
        raise Broken(f"it has not the files of a bundle: {', '.join(odd)[:200] or 'one is there twice'}")
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or entry.file_size > size:
            raise Broken(f"{entry.filename} is compressed or encrypted; in a bundle nothing is")
    if archive.getinfo(DIGESTS).file_size > MOST_DIGESTS:
        raise Broken(f"{DIGESTS} is too long")
    lines = archive.read(DIGESTS).decode("ascii", "replace").splitlines()
    named = [re.fullmatch(r"([0-9a-f]{64})  (\S+)", line) for line in lines]
    wanted = {line[2]: line[1] for line in named if line is not None}
    if len(lines) != len(wanted) or {*wanted} != {*names} - {DIGESTS}:
        raise Broken(f"{DIGESTS} does not name the files that are there")
    for name, sha256 in wanted.items():
        with archive.open(name) as member:
            found = hashlib.sha256()
            while piece := member.read(2**20):
                found.update(piece)
        if found.hexdigest() != sha256:
            raise Broken(f"{name}: its sha256 is {found.hexdigest()}, and {DIGESTS} says {sha256}")
