"""An uploaded text as the readers see it: unpacked, in UTF-8, in lines that end with LF or CRLF."""

import codecs
import gzip
import os
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from athanor.contract import Encoding, Warned
from athanor.contract.encodings import ENCODINGS
from models.data.formats import stand_ins
from models.data.formats.encoding import PIECE, Decoded, decide
from models.data.formats.limits import MIB, Limits
from models.errors import DataError

GZIP = b"\x1f\x8b"


@dataclass
class TextFile:
    """A text in UTF-8 at `path`, from the byte `start` on. `size` counts all bytes, `lines` the line ends.

    `dialect` says what the upload was. A file that was made for it is removed together with this object.
    """

    path: Path
    start: int = 0
    lines: int = 0
    quotes: int = 0
    dialect: dict[str, JsonValue] = field(default_factory=dict)
    warnings: list[Warned] = field(default_factory=list)

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def lines_between(self, start: int, end: int) -> int:
        """The number of line ends from the byte `start` to the byte `end`."""
        found = 0
        with self.path.open("rb") as stream:
            stream.seek(start)
            while (left := end - start) > 0 and (piece := stream.read(min(PIECE, left))):
                found += count(piece, ord("\n"))
                start += len(piece)
        return found

    def pieces(self) -> Iterator[bytes]:
        """All bytes of the text."""
        with self.path.open("rb") as stream:
            stream.seek(self.start)
            while piece := stream.read(PIECE):
                yield piece


def open_text(path: Path, limits: Limits, encoding: Encoding | None = None, *, may_be_page: bool = False) -> TextFile:
    """The text of an upload. `encoding` is what the sender says.

    Raises DataError where it is no text, and where it stands in the place of one; a text that `may_be_page` may be one
    of the web.
    """
    text = TextFile(path)
    with path.open("rb") as stream:
        packed = stream.read(2) == GZIP
    if packed:
        rewrite(text, _unpacked(path, limits), limits)
        text.dialect["compression"] = "gzip"
        with text.path.open("rb") as stream:
            if not (start := stream.read(2)) or start == GZIP:
                raise DataError("The gzip file holds no text. Compress a single text file, once.")
    decoded = decide(text.path, encoding)
    text.dialect["encoding"] = decoded.encoding
    text.start = decoded.mark
    if decoded.encoding != "utf-8":
        rewrite(text, _decoded(text.path, decoded), limits)
        text.start = 0
    if decoded.guessed:
        name = decoded.encoding
        text.warnings.append(
            Warned(
                code="encoding_guessed",
                message=f"line {decoded.guessed:,} is not UTF-8, so the file was read as {name}",
                suggestion=f"if letters are wrong, upload it with another encoding ({ENCODINGS})",
            )
        )
    with text.path.open("rb") as stream:
        stream.seek(text.start)
        beginning = stream.read(stand_ins.LENGTH)
    if said := stand_ins.pointer(beginning) or (None if may_be_page else stand_ins.page(beginning)):
        raise DataError(f"The file {said}")
    returns = _count(text)
    if returns and not text.lines:
        text.dialect["line_ends"] = "CR"
        rewrite(text, (piece.replace(b"\r", b"\n") for piece in text.pieces()), limits)
        text.start, text.lines = 0, returns
    return text


def count(piece: bytes, byte: int) -> int:
    """How often a byte is in a piece. NumPy counts frequent bytes several times faster than `bytes.count`."""
    return int(np.count_nonzero(np.frombuffer(piece, np.uint8) == byte))


def _count(text: TextFile) -> int:
    """Count lines and quotation marks. Returns how often CR is in the text."""
    returns = 0
    for piece in text.pieces():
        text.lines += count(piece, ord("\n"))
        text.quotes += count(piece, ord('"')) if b'"' in piece else 0
        returns += count(piece, ord("\r")) if b"\r" in piece else 0
    return returns


def rewrite(text: TextFile, pieces: Iterator[bytes], limits: Limits) -> None:
    """Write a new file for the text. The old one is removed if it was made here."""
    number, name = tempfile.mkstemp(prefix="text-")
    made = Path(name)
    weakref.finalize(text, made.unlink, missing_ok=True)
    size = 0
    with os.fdopen(number, "wb") as target:
        for piece in pieces:
            size += len(piece)
            if size > limits.max_expanded_bytes:
                raise limits.refuse("max_expanded_bytes", "The text is too large")
            target.write(piece)
    text.path = made


def _decoded(path: Path, decoded: Decoded) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(decoded.codec)()
    with path.open("rb") as stream:
        stream.seek(decoded.mark)
        while piece := stream.read(PIECE):
            yield decoder.decode(piece).encode()
    yield decoder.decode(b"", True).encode()


def _unpacked(path: Path, limits: Limits) -> Iterator[bytes]:
    packed, size = path.stat().st_size, 0
    try:
        with gzip.open(path) as stream:
            while piece := stream.read(PIECE):
                size += len(piece)
                if size > MIB and size > limits.zip_ratio * packed:
                    raise limits.refuse("zip_ratio", f"The file's {packed:,} bytes expand to more than {size:,}")
                yield piece
    except (zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"The file is not a complete gzip file ({error}). Compress it again.") from error
