"""Images without what holds no pixels."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from models.data.formats.bare_image import bare
from tests.files import chunk

MOST = 1 << 20
NOISE = np.random.default_rng(0).integers(0, 256, (9, 13, 4), dtype=np.uint8)


def _saved(mode: str, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(NOISE[..., :3]).convert(mode) if mode != "RGBA" else Image.fromarray(NOISE)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_a_png_keeps_its_pixels(mode: str) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("comment", "x" * 1000, zip=True)
    data = _saved(mode, "PNG", pnginfo=texts, icc_profile=b"profile" * 99, exif=Image.Exif())
    before, after = Image.open(io.BytesIO(data)), Image.open(bare(io.BytesIO(data), MOST).file)
    assert before.mode == after.mode
    assert np.array_equal(np.asarray(before.convert("RGBA")), np.asarray(after.convert("RGBA")))
    assert set(after.info) <= {"transparency", "interlace"}
    assert isinstance(after, PngImagePlugin.PngImageFile) and not after.text


def test_a_transparent_color_is_kept() -> None:
    data = _saved("RGB", "PNG", transparency=tuple(int(each) for each in NOISE[0, 0, :3]))
    assert Image.open(bare(io.BytesIO(data), MOST).file).convert("RGBA").getpixel((0, 0))[3] == 0  # type: ignore[index]


def test_bombs_in_a_png_are_left_out() -> None:
    plain = _saved("L", "PNG")
    bomb = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(900_000)))
    frames = chunk(b"acTL", struct.pack(">2I", 1000, 0)) + chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(900_000)))
    data = plain[:33] + bomb * 100 + frames + chunk(b"IDAT", b"") * 10_000 + plain[33:-12] + bomb * 100 + plain[-12:]
    small = bare(io.BytesIO(data), MOST).file.read()
    assert len(small) < len(plain) + 20
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(small))), np.asarray(Image.open(io.BytesIO(plain))))
    header = bare(io.BytesIO(data), MOST, whole=False).file.read()
    assert Image.open(io.BytesIO(header)).size == (13, 9) and len(header) < 80


@pytest.mark.parametrize("cut", [3, 9, 20, 40, -60])
def test_a_png_that_ends_early_is_still_broken(cut: int) -> None:
    with pytest.raises((OSError, SyntaxError)):
        Image.open(bare(io.BytesIO(_saved("RGB", "PNG")[:cut]), MOST).file).load()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_keeps_its_pixels_and_its_orientation(mode: str, progressive: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    more = {"exif": exif, "icc_profile": b"profile" * 99, "comment": b"x" * 999}
    data = _saved(mode, "JPEG", progressive=progressive, **more)
    found = bare(io.BytesIO(data), MOST)
    before, after = (ImageOps.exif_transpose(Image.open(file)) for file in (io.BytesIO(data), found.file))
    assert before.size == after.size == (9, 13)
    assert np.array_equal(np.asarray(before), np.asarray(after))
    assert "icc_profile" not in after.info and "comment" not in after.info
    assert (found.scans > 3) == progressive


def test_the_scans_of_a_jpeg_are_counted() -> None:
    data = _saved("L", "JPEG", progressive=True)
    last, end = data.rfind(b"\xff\xda"), data.rfind(b"\xff\xd9")
    many = data[:end] + data[last:end] * 1000 + data[end:]
    assert bare(io.BytesIO(many), MOST).scans == bare(io.BytesIO(data), MOST).scans + 1000


def test_empty_markers_of_a_jpeg_are_left_out() -> None:
    data = _saved("L", "JPEG")
    padded = data[:2] + b"\xff\xfe\0\2" * 10_000 + b"\xff" * 10_000 + b"\xff\xd0" * 10_000 + data[2:]
    small = bare(io.BytesIO(padded), MOST).file.read()
    assert len(small) <= len(data)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(small))), np.asarray(Image.open(io.BytesIO(data))))


def test_other_files_stay_as_they_are() -> None:
    data = _saved("RGB", "WEBP")
    assert bare(io.BytesIO(data), MOST).file.read() == data
    assert bare(io.BytesIO(b""), MOST).file.read() == b""


def test_a_jpeg_keeps_the_orientation_that_xmp_says() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description, and no orientation"
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    for more in ({"xmp": xmp}, {"xmp": xmp, "exif": exif}):
        data = _saved("RGB", "JPEG", **more)
        before, after = (
            ImageOps.exif_transpose(Image.open(file)) for file in (io.BytesIO(data), bare(io.BytesIO(data), MOST).file)
        )
        assert before.size == after.size == (9, 13)
        assert before.tobytes() == after.tobytes()
