"""Decode one image file into the pixels that a network reads."""

import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from models.errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP")
BROKEN = (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)
"""Exceptions that Pillow raises for damaged files and for files that are not images."""

_GRAY = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"})
_ROTATED = frozenset({5, 6, 7, 8})
_ORIENTATION = 0x0112


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
        deep = np.asarray(image).astype(np.int64)
        image = Image.fromarray((deep >> 8 if deep.max() > 255 else deep).clip(0, 255).astype(np.uint8))
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8).reshape(shape)


def decode(data: bytes, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Pixels [H, W, C] of an image file. Raises DataError for another size, before any pixel is decoded."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        size = upright(image)
        if size == shape[:2]:
            return pixels(image, shape)
    except (*BROKEN, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError("it is not a complete PNG, JPEG or WebP image") from error
    raise DataError(f"it has {size[0]} × {size[1]} pixels, but the training images have {shape[0]} × {shape[1]}")
