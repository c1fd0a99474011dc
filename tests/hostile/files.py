"""Makes hostile files: tables, pictures, archives, arrays and workbooks, with what no program would write in them."""

import io
import itertools
import math
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pyarrow as pa
from PIL import Image

from tests.files import chunk, parquet, zipped


def joined(lines: list[str], separator: str = "\n") -> bytes:
    return (separator.join(lines) + "\n").encode()


def columns(count: int, rows: int, separator: str = ",") -> bytes:
    """A table of ones."""
    return joined([separator.join(f"c{n}" for n in range(count)), *[separator.join("1" * count)] * rows])


def part(filename: str, content: bytes) -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'
    return head.encode() + content


def tar(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return held.getvalue()


def png(width: int, height: int, *extra: bytes, rows: int | None = None) -> bytes:
    """A gray picture of zeros. `rows` are the lines that it really has."""
    pixels = zlib.compress(b"\0" * (width + 1) * (height if rows is None else rows), 9)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def animated(frames: int) -> bytes:
    first, *rest = (Image.new("RGB", (1500, 1500), (level, 0, 0)) for level in range(frames))
    held = io.BytesIO()
    first.save(held, "WEBP", save_all=True, append_images=rest, lossless=True, quality=0, method=0)
    return held.getvalue()


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    held = io.BytesIO()
    picture.save(held, kind, **options)
    return held.getvalue()


def frames(count: int) -> bytes:
    """A GIF of a large first frame and many others."""
    first, *rest = (Image.new("P", (2000, 2000), level % 9) for level in range(count))
    return saved(first, "GIF", save_all=True, append_images=rest)


def records(files: list[bytes]) -> bytes:
    """Pictures as the hub writes them."""
    return parquet(
        {"image": pa.array([{"bytes": file, "path": "x"} for file in files]), "label": pa.array(range(len(files)))}
    )


def pictures(picture: bytes, count: int, suffix: str = "png") -> bytes:
    return zipped(((f"{'cat' if n % 2 else 'dog'}/{n}.{suffix}", picture) for n in range(count)), zipfile.ZIP_STORED)


def npy(shape: str, content: bytes = b"", descr: str = "<f4") -> bytes:
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + content


def npz(**arrays: bytes) -> bytes:
    return zipped((f"{name}.npy", content) for name, content in arrays.items())


def idx(*shape: int, content: bytes = b"") -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + content


_MAIN = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = b"http://schemas.openxmlformats.org/package/2006/"


def workbook(rows: bytes, declared: bytes = b"") -> bytes:
    """A workbook of one sheet. `declared` is a document type."""
    relation = b'<Relationships xmlns="%srelationships"><Relationship Id="r" Type="%s/%s" Target="%s"/></Relationships>'
    types = b'<Types xmlns="%scontent-types"><Override PartName="/xl/workbook.xml" ContentType="%s"/></Types>'
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    sheets = b'<sheets><sheet name="a" sheetId="1" r:id="r"/></sheets>'
    return zipped(
        [
            ("[Content_Types].xml", types % (_PACKAGE, kind)),
            ("_rels/.rels", relation % (_PACKAGE, _OFFICE, b"officeDocument", b"xl/workbook.xml")),
            ("xl/workbook.xml", b'<workbook xmlns="%s" xmlns:r="%s">%s</workbook>' % (_MAIN, _OFFICE, sheets)),
            ("xl/_rels/workbook.xml.rels", relation % (_PACKAGE, _OFFICE, b"worksheet", b"sheet1.xml")),
            (
                "xl/sheet1.xml",
                declared + b'<worksheet xmlns="%s"><sheetData>%s</sheetData></worksheet>' % (_MAIN, rows),
            ),
        ]
    )


def entities(depth: int) -> bytes:
    """Entities that double the text before them; the last is `g`."""
    names = [f"e{level}" for level in range(depth)] + ["g"]
    pairs = itertools.pairwise(names)
    declared = "".join(f'<!ENTITY {after} "&{before};&{before};">' for before, after in pairs)
    return f'<!DOCTYPE x [<!ENTITY e0 "1">{declared}]>'.encode()


def zeros(*shape: int) -> bytes:
    return idx(*shape, content=bytes(math.prod(shape)))


def mnist(images: bytes, labels: bytes, suffix: str = "", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of images and labels. `suffix` is that of the images."""
    return zipped([(f"train-images-idx3-ubyte{suffix}", images), ("train-labels-idx1-ubyte", labels)], method)


def repeated(value: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), pa.array([value]))
