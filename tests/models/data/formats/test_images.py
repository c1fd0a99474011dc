"""One picture file, against Pillow's own reading of it and against arrays."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from models.data.formats.images import NAMED, Pixels, Reading, Resize, decode, resized
from models.errors import DataError

COLORS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


def _saved(picture: Image.Image | npt.NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    held = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(held, kind, **options)
    return held.getvalue()


def _decoded(data: bytes, *shape: int, **fields: Any) -> Pixels:
    found, _ = decode(data, Reading(shape, **fields))
    assert found.shape == shape and found.dtype == np.uint8
    return found


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_formats_without_loss(kind: str) -> None:
    assert (_decoded(_saved(COLORS, kind), 6, 9, 3) == COLORS).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "JPEG"])
def test_formats_with_loss(kind: str) -> None:
    flat = np.full((6, 9, 3), (200, 60, 20), np.uint8)
    assert np.abs(_decoded(_saved(flat, kind), 6, 9, 3).astype(int) - flat).max() < 12


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(kind: str, orientation: int) -> None:
    stored = np.zeros((8, 16), np.uint8)
    stored[:, :4] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = _saved(Image.fromarray(stored).convert("RGB"), kind, exif=exif)
    # By the tables of the EXIF standard: where the first rows and columns of the file belong.
    upright = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.T,
        6: stored.T[:, ::-1],
        7: stored.T[::-1, ::-1],
        8: stored.T[::-1],
    }[orientation]
    assert (np.abs(_decoded(data, *upright.shape, 1)[..., 0].astype(int) - upright) < 60).all()


def test_palettes_are_colors() -> None:
    indexed = Image.fromarray(COLORS).quantize(16)
    wanted = np.asarray(indexed.convert("RGB"))
    assert (_decoded(_saved(indexed), 6, 9, 3) == wanted).all()
    assert (_decoded(_saved(indexed, "GIF"), 6, 9, 3) == wanted).all()


def test_a_transparent_entry_of_a_palette_is_ground() -> None:
    picture = Image.new("P", (4, 2), 0)
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putpixel((1, 1), 1)
    found = _decoded(_saved(picture, transparency=0), 2, 4, 3)
    assert found[0, 0].tolist() == [255] * 3 and found[1, 1].tolist() == [200, 100, 50]


def test_alpha_is_composited() -> None:
    half = np.dstack([COLORS, np.full((6, 9), 128, np.uint8)])
    wanted = COLORS * (128 / 255) + 255 * (1 - 128 / 255)
    assert np.abs(_decoded(_saved(half), 6, 9, 3) - wanted).max() < 1.5
    dark = COLORS * (128 / 255)
    assert np.abs(_decoded(_saved(half), 6, 9, 3, ground=0) - dark).max() < 1.5


def test_colors_of_transparent_pixels_do_not_bleed() -> None:
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[:, :4] = (200, 0, 0, 255)
    picture[:, 4:] = (0, 255, 0, 0)
    found = _decoded(_saved(picture), 2, 2, 3, resize="stretch")
    assert found[0, 0].tolist() == pytest.approx([200, 0, 0], abs=40) and (found[..., 1] >= found[..., 2] - 1).all()


def test_inks_become_colors() -> None:
    paper = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert np.abs(_decoded(_saved(paper, "JPEG"), 8, 8, 3).astype(int) - [255, 0, 0]).max() < 8
    assert (_decoded(_saved(paper, "TIFF"), 8, 8, 3) == [255, 0, 0]).all()


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_deep_pictures_have_the_scale_of_the_dataset(dtype: type) -> None:
    deep: npt.NDArray[Any] = np.array([[0, 1000], [2000, 9000]], dtype)
    found = _decoded(_saved(Image.fromarray(deep), "TIFF"), 2, 2, 1, range=(1000.0, 3000.0))
    assert found.ravel().tolist() == [0, 0, 127, 255]


def test_eight_bits_are_not_sixteen() -> None:
    with pytest.raises(DataError, match="8 bits"):
        _decoded(_saved(COLORS), 6, 9, 1, range=(0.0, 4095.0))


@pytest.mark.parametrize(
    ("resize", "wanted"),
    [
        ("stretch", [[0, 50, 100, 150]] * 4),
        ("crop", [[50, 50, 100, 100]] * 4),
        ("pad", [[0, 50, 100, 150]] * 4),
    ],
)
def test_ways_to_fit(resize: Resize, wanted: list[list[int]]) -> None:
    """A picture of 2 × 4 blocks of 20 pixels, read as 4 × 4."""
    blocks: Pixels = np.kron(np.array([[0, 50, 100, 150]] * 2, np.uint8), np.ones((20, 20), np.uint8)).astype(np.uint8)
    found = _decoded(_saved(blocks), 4, 4, 1, resize=resize)[..., 0]
    assert np.abs(found.astype(int) - wanted).max() <= 12
    assert (resized(blocks[..., None], 4, 4, resize)[..., 0] == found).all()


def test_padding_continues_the_edges() -> None:
    wide = np.zeros((20, 40), np.uint8)
    wide[:10], wide[10:] = 200, 30
    found = _decoded(_saved(wide), 8, 8, 1)[..., 0]
    assert (found[:3] == 200).all() and (found[5:] == 30).all()


def test_what_is_no_picture_is_refused() -> None:
    for data in (b"", b"GIF89a", _saved(COLORS)[:50], b"%PDF-1.4"):
        with pytest.raises(DataError, match=f"not a complete {NAMED} image"):
            _decoded(data, 6, 9, 3)


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    data = _saved(Image.new("1", (5000, 5000)))
    with pytest.raises(DataError, match=r"too many pixels|too long"):
        decode(data, Reading((6, 9, 1)))
    with pytest.raises(DataError, match=r"too many pixels|too long"):
        decode(_saved(COLORS), Reading((6, 9, 1)), most=53)


def test_a_description_holds_all_that_predict_needs() -> None:
    for reading in (Reading((2, 3, 1), "crop", 0, (5.0, 9.0)), Reading((2, 3, 3))):
        assert Reading.of(reading.shape, reading.told()) == reading
