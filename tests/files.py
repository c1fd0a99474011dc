"""Files of several formats, made in memory: also such as no program writes."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def zipped(members: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return held.getvalue()


def listed(count: int, name: bytes = b"a.csv", *, is_zip64: bool = True) -> bytes:
    """A zip whose directory names `count` files, all of them at the same place and empty.

    Without `is_zip64`, its end counts 65,535 of them at most.
    """
    length = len(name)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, 0, 0, 0, length, 0) + name
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, length, 0, 0, 0, 0, 0, 0) + name
    start, size = len(local), len(entry) * count
    if is_zip64:
        end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
        end += struct.pack("<4sLQL", b"PK\6\7", 0, start + size, 1)
        end += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    else:
        few = min(count, 0xFFFF)
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, few, few, size, start, 0)
    return local + entry * count + end


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    held = io.BytesIO()
    pq.write_table(pa.table(columns), held, compression="zstd", **options)
    return held.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(kind + content))


def misplaced(content: bytes, place: int) -> bytes:
    """The same zip, whose directory says that the first member begins at `place`, a number of 64 bits."""
    entry, end = content.index(b"PK\1\2"), content.rindex(b"PK\5\6")
    (length,) = struct.unpack_from("<H", content, entry + 28)
    changed = bytearray(content)
    changed[entry + 30 : entry + 32] = struct.pack("<H", 12)
    changed[entry + 42 : entry + 46] = b"\xff" * 4
    changed[end + 12 : end + 16] = struct.pack("<L", end - entry + 12)
    changed[entry + 46 + length : entry + 46 + length] = struct.pack("<2HQ", 1, 8, place)
    return bytes(changed)


def shifted(content: bytes, by: int) -> bytes:
    """The same zip, whose end says that all members are `by` bytes farther from the start than they are."""
    end = content.rindex(b"PK\5\6")
    (start,) = struct.unpack_from("<L", content, end + 16)
    return content[: end + 16] + struct.pack("<L", start + by) + content[end + 20 :]
