"""Image files without what holds no pixels: texts, profiles, thumbnails and animations cost time and memory to read.

Sources: PNG (W3C, third edition) chapter 5; JPEG (ITU-T T.81) annex B.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from typing import IO

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_KEPT = (b"IHDR", b"PLTE", b"tRNS")
"""Chunks of a PNG that pixels depend on, besides IDAT and IEND."""
_EXIF, _LONGEST_EXIF = b"eXIf", 1 << 16
"""The chunk that may have the orientation. It may stand behind the pixels."""
_LONGEST_CHUNK = 1 << 12
"""Bytes of one of these: a palette has 768."""
_MOST_SEGMENTS = 400
"""Pieces of a JPEG before its pixels, two for each segment."""
_START_OF_SCAN, _END, _COMMENT = 0xDA, 0xD9, 0xFE
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers of a JPEG without a segment."""
_SEGMENTS = (
    *((0xE0, b"JFIF\0"), (0xE1, b"Exif\0"), (0xE1, b"http://ns.adobe.com/xap/1.0/\0")),
    *((0xE2, b"MPF\0"), (0xEE, b"Adobe")),
)
"""The application segments that matter, each once: colors, the orientation, which EXIF or XMP say, and whether there
are more images."""
_PIECE = 1 << 16


@dataclass(frozen=True)
class Bare:
    """A file that Pillow can open, and how often it goes over the pixels to decode them: a JPEG may have many scans."""

    file: IO[bytes]
    scans: int = 1


def bare(stream: IO[bytes], most: int, *, whole: bool = True) -> Bare:
    """The image in `stream`, at its start. Files that are neither PNG nor JPEG stay as they are.

    At most `most` bytes of pixels are read: damaged files end there. If not `whole`, the pixels of a PNG are left out.
    Nothing is checked: Pillow finds out what is wrong.
    """
    start = stream.read(len(_JPEG))
    if start == _JPEG:
        return _jpeg(stream, most)
    start += stream.read(len(_PNG) - len(start))
    if start == _PNG:
        return Bare(_png(stream, most if whole else 0))
    return Bare(io.BytesIO(start + _up_to(stream, most)))


def _png(stream: IO[bytes], most: int) -> IO[bytes]:
    found, pixels, exif = [_PNG], bytearray(), b""
    while len(header := stream.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        if kind == b"IDAT":
            if len(pixels) >= most:
                break
            pixels += _up_to(stream, min(length, most - len(pixels)))
            stream.read(4)
        elif kind == b"IEND":
            break
        elif kind in _KEPT and length <= _LONGEST_CHUNK and not pixels:
            found.append(header + stream.read(length + 4))
        elif kind == _EXIF and length <= _LONGEST_EXIF and not exif:
            exif = header + stream.read(length + 4)
        else:
            _skip(stream, length + 4)
    crc = zlib.crc32(pixels, zlib.crc32(b"IDAT"))
    found += [exif, struct.pack(">I4s", len(pixels), b"IDAT"), bytes(pixels), struct.pack(">I", crc)]
    return io.BytesIO(b"".join([*found, struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))]))


def _jpeg(stream: IO[bytes], most: int) -> Bare:
    found, left = [_JPEG], [*_SEGMENTS]
    while len(found) < _MOST_SEGMENTS and (marker := _marker(stream)) is not None:
        if marker in _ALONE:
            continue
        found.append(bytes([0xFF, marker]))
        if marker in (_START_OF_SCAN, _END):
            break
        length = stream.read(2)
        segment = length + stream.read(max(0, int.from_bytes(length, "big") - 2))
        if marker == _COMMENT or 0xE0 <= marker <= 0xEF:
            fitting = [each for each in left if each[0] == marker and segment[2:].startswith(each[1])]
            if not fitting:
                found.pop()
                continue
            left.remove(fitting[0])
        found.append(segment)
    found.append(_up_to(stream, most))
    data = b"".join(found)
    # In the data of a scan, 0xFF is followed by 0 or by the marker of a restart.
    return Bare(io.BytesIO(data), max(1, data.count(bytes([0xFF, _START_OF_SCAN]))))


def _marker(stream: IO[bytes]) -> int | None:
    """The next marker, after zeros and fill bytes. None where there is none."""
    byte = b"\0"
    while byte == b"\0":
        byte = stream.read(1)
    while byte == b"\xff":
        if (byte := stream.read(1)) not in (b"\xff", b""):
            return byte[0]
    return None


def _up_to(stream: IO[bytes], most: int) -> bytes:
    """At most `most` bytes. A stream that is asked for all of them at once would take memory for them first."""
    found = bytearray()
    while len(found) < most and (piece := stream.read(min(_PIECE, most - len(found)))):
        found += piece
    return bytes(found)


def _skip(stream: IO[bytes], count: int) -> None:
    while count > 0 and (piece := stream.read(min(count, _PIECE))):
        count -= len(piece)
