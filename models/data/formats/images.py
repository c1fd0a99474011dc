"""Decode one picture file into the pixels that a network reads, for uploads and predict requests alike."""

import io
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Literal, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import JsonValue

from models.data.formats.bare_image import bare
from models.data.formats.limits import MIB, Limits
from models.errors import DataError

Resize = Literal["crop", "pad", "stretch"]
Pixels = npt.NDArray[np.uint8]

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
NAMED = "PNG, JPEG, WebP, GIF, BMP, TIFF or PNM"
BROKEN = (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)
"""Exceptions that Pillow raises for damaged files and for files that are not images."""
BROKEN_INSIDE = (*BROKEN, KeyError, TypeError, OverflowError, RuntimeError, ArithmeticError)
"""Exceptions of the readers of GIF, BMP and TIFF for damaged files, too."""

LARGEST_SIDE = 1024
"""Height and width that a user may choose."""

_DEEPEST = 8
"""Bytes of a pixel: 16 bits in each of four channels."""
_SCANS = 16
"""A progressive JPEG has about ten."""
_DEEP = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_GRAY = frozenset({"1", "L", "LA", *_DEEP})
_ROTATED = frozenset({5, 6, 7, 8})
_ORIENTATION = 0x0112
_WORD = 65_536


@dataclass(frozen=True)
class Reading:
    """How each picture of a dataset becomes pixels [H, W, C], with one or three channels."""

    shape: tuple[int, ...]
    resize: Resize = "pad"
    ground: int = 255
    """The gray below transparent pixels."""
    range: tuple[float, float] | None = None
    """The values of a gray picture of more than 8 bits that become 0 and 255."""

    def told(self) -> dict[str, JsonValue]:
        """The fields that a description of the dataset holds, besides the shape."""
        found: dict[str, JsonValue] = {"resize": self.resize, "ground": self.ground}
        return found if self.range is None else {**found, "range": list(self.range)}

    @classmethod
    def of(cls, shape: tuple[int, ...], told: Mapping[str, Any]) -> "Reading":
        """From the fields of `told`. Datasets of earlier versions have none: their pictures were stretched."""
        span = told.get("range")
        resize = cast(Resize, told.get("resize", "stretch"))
        return cls(shape, resize, told.get("ground", cls.ground), None if span is None else (span[0], span[1]))


def opened(stream: IO[bytes], most: int, *, whole: bool = True) -> tuple[Image.Image, int]:
    """An image whose pixels are not decoded yet, and the number of pixels that this takes.

    Only the header is read, if not `whole`. Raises one of BROKEN_INSIDE, or an error or warning of Pillow for more than
    `most` pixels. A JPEG with many scans counts several times.
    """
    file = bare(stream, _DEEPEST * most + MIB, whole=whole)
    kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, most
    try:
        image = Image.open(file.file, formats=FORMATS)
    finally:
        Image.MAX_IMAGE_PIXELS = kept
    return image, image.width * image.height * (1 + file.scans // _SCANS)


def is_deep(image: Image.Image) -> bool:
    """Whether it is a gray picture of more than 8 bits, whose range is that of its dataset."""
    return image.mode in _DEEP


def is_gray(image: Image.Image) -> bool:
    palette = image.palette
    if image.mode == "P" and palette is not None and palette.rawmode == "RGB":
        colors = np.frombuffer(bytes(palette.palette), np.uint8)
        return len(colors) % 3 == 0 and bool((colors.reshape(-1, 3) == colors[::3, None]).all())
    return image.mode in _GRAY


def is_transparent(image: Image.Image) -> bool:
    """Whether some pixels may be transparent."""
    return bool(image.has_transparency_data)


def upright(image: Image.Image) -> tuple[int, int]:
    """Height and width after the rotation that the camera recorded in the EXIF orientation."""
    # Pillow has turned the size of a TIFF already, and decodes a PNG to look for EXIF behind the pixels.
    is_known = image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info)
    turned = not is_known and image.getexif().get(_ORIENTATION) in _ROTATED
    return (image.width, image.height) if turned else (image.height, image.width)


def values(image: Image.Image) -> npt.NDArray[Any]:
    """The numbers of a deep picture. Not all of them need be finite."""
    return np.asarray(image)


def pixels(image: Image.Image, reading: Reading) -> Pixels:
    """Pixels of the shape that `reading` has: turned upright, fitted, and on a ground where they are transparent."""
    height, width, channels = reading.shape
    ImageOps.exif_transpose(image, in_place=True)
    if is_deep(image):
        image = Image.fromarray(_scaled(values(image), reading.range or (0, _WORD - 1)))
    elif is_transparent(image):
        image = image if image.mode in ("RGBA", "LA") else image.convert("RGBA")
    elif image.mode != ("L" if channels == 1 else "RGB"):
        image = image.convert("L" if channels == 1 else "RGB")
    image = _resized(image, height, width, reading.resize)
    if image.mode in ("RGBA", "LA"):
        colors = image.convert("RGBA")
        image = Image.new("RGBA", image.size, (reading.ground,) * 3 + (255,))
        image.alpha_composite(colors)
    image = image.convert("L" if channels == 1 else "RGB")
    return _padded(np.asarray(image, np.uint8).reshape(image.height, image.width, channels), height, width)


def resized(pixels_HWC: Pixels, height: int, width: int, resize: Resize) -> Pixels:
    """The same picture with this height and width."""
    if pixels_HWC.shape[:2] == (height, width):
        return pixels_HWC
    channels = pixels_HWC.shape[2]
    planes = [
        np.asarray(_resized(Image.fromarray(np.ascontiguousarray(pixels_HWC[:, :, at])), height, width, resize))
        for at in range(channels)
    ]
    return _padded(np.stack(planes, axis=2), height, width)


def _scaled(numbers: npt.NDArray[Any], span: tuple[float, float]) -> Pixels:
    """Numbers to 0 to 255. In integers of 16 bits by a table, because a picture may have millions of pixels."""
    low, high = span
    scale = 255 / max(high - low, 1e-9)
    if numbers.dtype.kind == "u" and numbers.dtype.itemsize == 2:
        table = np.clip((np.arange(_WORD) - low) * scale, 0, 255).astype(np.uint8)
        return cast(Pixels, table[numbers])
    rows = [np.nan_to_num(np.clip((row.astype(np.float64) - low) * scale, 0, 255)).astype(np.uint8) for row in numbers]
    return np.stack(rows)


def _resized(image: Image.Image, height: int, width: int, resize: Resize) -> Image.Image:
    """The picture resized to fill this height and width (crop, stretch), or to lie within them (pad)."""
    if image.size == (width, height):
        return image
    box, size = (0.0, 0.0, float(image.width), float(image.height)), (width, height)
    if resize == "crop":
        scale = min(image.width / width, image.height / height)
        left, top = (image.width - width * scale) / 2, (image.height - height * scale) / 2
        box = (max(0.0, left), max(0.0, top), min(box[2], image.width - left), min(box[3], image.height - top))
    elif resize == "pad":
        scale = min(width / image.width, height / image.height)
        size = (
            min(width, max(1, round(image.width * scale))),
            min(height, max(1, round(image.height * scale))),
        )
    return image.resize(size, Image.Resampling.BILINEAR, box=box)


def _padded(pixels_HWC: Pixels, height: int, width: int) -> Pixels:
    """The picture in the middle. Its edges are continued, so that white paper stays white and black sky black."""
    down, across = height - pixels_HWC.shape[0], width - pixels_HWC.shape[1]
    if not down and not across:
        return pixels_HWC
    around = ((down // 2, down - down // 2), (across // 2, across - across // 2), (0, 0))
    return np.pad(pixels_HWC, around, mode="edge")


def decode(data: bytes, reading: Reading, most: int = Limits.max_image_pixels) -> tuple[Pixels, int]:
    """Pixels of a picture file, and the number of pixels that it took to decode.

    Raises DataError, also for more than `most` pixels, before any is decoded.
    """
    most = min(most, Limits.max_image_pixels)
    try:
        image, cost = opened(io.BytesIO(data), most)
        if cost > most:
            raise DataError(f"it has {image.width} × {image.height} pixels, which take too long to decode; send fewer")
        if reading.range is not None and not is_deep(image):
            raise DataError("it has 8 bits per pixel, but the training images have more; send it as they were")
        return pixels(image, reading), cost
    except DataError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError("it has too many pixels; send a smaller picture") from error
    except BROKEN_INSIDE as error:
        raise DataError(f"it is not a complete {NAMED} image") from error
