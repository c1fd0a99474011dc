"""Decode one image file into the pixels that a network reads."""

import io
import struct
import zlib
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from models.data.formats.bare_image import bare
from models.data.formats.limits import MIB, Limits
from models.errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP")
BROKEN = (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)
"""Exceptions that Pillow raises for damaged files and for files that are not images."""

_DEEPEST = 8
"""Bytes of a pixel: 16 bits in each of four channels."""
_SCANS = 16
"""A progressive JPEG has about ten."""
_GRAY = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"})
_ROTATED = frozenset({5, 6, 7, 8})
_ORIENTATION = 0x0112


def opened(stream: IO[bytes], most: int, *, whole: bool = True) -> tuple[Image.Image, int]:
    """An image whose pixels are not decoded yet, and the number of pixels that this takes.

    Only the header is read, if not `whole`. Raises one of BROKEN, or an error or warning of Pillow for more than `most`
    pixels. A JPEG with many scans counts several times.
    """
    file = bare(stream, _DEEPEST * most + MIB, whole=whole)
    kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, most
    try:
        image = Image.open(file.file, formats=FORMATS)
    finally:
        Image.MAX_IMAGE_PIXELS = kept
    return image, image.width * image.height * (1 + file.scans // _SCANS)


def is_gray(image: Image.Image) -> bool:
    return image.mode in _GRAY


def upright(image: Image.Image) -> tuple[int, int]:
    """Height and width after the rotation that the camera recorded in the EXIF orientation."""
    turned = image.format == "JPEG" and image.getexif().get(_ORIENTATION) in _ROTATED
    return (image.width, image.height) if turned else (image.height, image.width)


def pixels(image: Image.Image, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Pixels [H, W, C] of the given shape: rotated upright, with one or three channels, and resized."""
    height, width, channels = shape
    if image.format == "JPEG":
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        deep = np.asarray(image)
        image = Image.fromarray((deep >> 8 if deep.max() > 255 else deep).clip(0, 255).astype(np.uint8))
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8).reshape(shape)


def decode(data: bytes, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Pixels [H, W, C] of an image file. Raises DataError for another size, before any pixel is decoded."""
    try:
        image, _ = opened(io.BytesIO(data), Limits.max_image_pixels)
        size = upright(image)
        if size == shape[:2]:
            return pixels(image, shape)
    except (*BROKEN, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError("it is not a complete PNG, JPEG or WebP image") from error
    raise DataError(f"it has {size[0]} × {size[1]} pixels, but the training images have {shape[0]} × {shape[1]}")
