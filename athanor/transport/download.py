"""Downloads to a file. They continue after a broken connection, and a file gets its name when it is verified."""

import base64
import binascii
import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from athanor.errors import DigestMismatch, ServiceUnavailable, Unreachable
from athanor.transport.http import Transport, backoff
from athanor.transport.outage import ATTEMPTS

Progress = Callable[[int, int | None], None]
IDENTITY = {"Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Promise:
    """The headers about the file. A weak ETag does not guarantee equal bytes, so `etag` is None for it."""

    etag: str | None
    sha256: str
    size: int | None

    @classmethod
    def read(cls, response: httpx.Response, held: int = 0) -> "Promise":
        """Read the headers; `held` bytes are on disk already. Raises DigestMismatch if the headers have no SHA-256."""
        etag = response.headers.get("ETag", "")
        named = re.fullmatch(r'(?:W/)?"([0-9a-f]{64})"', etag)
        sha256 = _repr_digest(response.headers.get("Repr-Digest", "")) or (named[1] if named else None)
        if sha256 is None:
            raise DigestMismatch("the service states no SHA-256 for this file, so it was not downloaded")
        length = response.headers.get("Content-Length")
        return cls(etag if etag.startswith('"') else None, sha256, held + int(length) if length else None)


def download(
    transport: Transport, source: str, path: Path, progress: Progress | None = None, timeout: float | None = None
) -> Path:
    """Download `source` to `path`.part, verify it, and rename it to `path`.

    The .part file of an earlier call is continued. `timeout` is the longest time in seconds without a byte. Raises
    DigestMismatch, and removes the .part file then.
    """
    part = path.with_name(path.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    promise = None
    if _size(part):
        promise = Promise.read(transport.send("HEAD", source, headers=IDENTITY, timeout=timeout))
    inherited = promise is not None
    while True:
        promise = _fill(transport, source, part, promise, progress, timeout)
        found = sha256_of(part)
        if found == promise.sha256:
            os.replace(part, path)
            return path
        part.unlink()
        if not inherited:
            raise DigestMismatch(f"{path.name} has the sha256 {found}, not {promise.sha256}; it was removed")
        # The .part file may belong to another file, for example to an earlier `best`. Start again without it.
        promise, inherited = None, False


def target(path: str | Path, name: str) -> Path:
    """The file to write: `name` in a folder, which `path` is if it exists as one or ends in a slash, else `path`."""
    chosen = Path(path)
    is_folder = chosen.is_dir() or str(path).endswith(("/", os.sep))
    return chosen / name if is_folder else chosen


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fill(
    transport: Transport,
    source: str,
    part: Path,
    promise: Promise | None,
    progress: Progress | None,
    timeout: float | None,
) -> Promise:
    stalls = 0
    while True:
        held = _size(part)
        if promise is not None and held == promise.size and held:
            return promise
        headers = dict(IDENTITY)
        if held and promise is not None and promise.etag and held < (promise.size or held + 1):
            headers |= {"Range": f"bytes={held}-", "If-Range": promise.etag}
        try:
            with transport.open(source, headers=headers, timeout=timeout) as response:
                kept = held if response.status_code == 206 else 0
                promise = Promise.read(response, kept)
                with part.open("ab" if kept else "wb") as file:
                    for chunk in response.iter_raw():
                        file.write(chunk)
                        if progress is not None:
                            progress(file.tell(), promise.size)
                    file.flush()
                    os.fsync(file.fileno())
            return promise
        except (Unreachable, ServiceUnavailable):
            stalls = 0 if _size(part) > held else stalls + 1
            if stalls == ATTEMPTS:
                raise
            time.sleep(backoff(stalls))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _repr_digest(header: str) -> str | None:
    found = re.search(r"sha-256=:([A-Za-z0-9+/=]+):", header)
    try:
        return base64.b64decode(found[1], validate=True).hex() if found else None
    except binascii.Error:
        return None
