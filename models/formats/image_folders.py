"""A zip of images in class folders: ``cat/1.png``, or ``train/cat/1.png`` and ``test/cat/2.png``."""

import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from zipfile import ZipInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image, ImageOps, UnidentifiedImageError

from athanor.contract import Warned
from models.formats.archive import PART, PARTS, Archive
from models.formats.arrays import rows_at_once
from models.formats.limits import Limits
from models.table import DataError, Layout, Source

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
_FORMATS = ("PNG", "JPEG", "WEBP")
_GRAY = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"})
_ORDER = {None: 0, "train": 1, "val": 2, "test": 3}
_ROTATED = frozenset({5, 6, 7, 8})
_ORIENTATION = 0x0112
_BROKEN = (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


@dataclass(frozen=True)
class _Picture:
    info: ZipInfo
    label: str
    part: str | None

    @property
    def order(self) -> tuple[int, str, str]:
        return _ORDER[self.part], PurePosixPath(self.info.filename).name, self.label


def read(path: Path, limits: Limits) -> Source:
    """Columns ``image`` and ``label``, and ``part`` where the class folders lie in folders train, val or test.

    A class is the folder right above an image. Rows are ordered by part, file name without folder, and class. Every
    image is brought to the most common size, with one channel where all are gray, else three. Raises DataError naming
    a broken image.
    """
    archive = Archive(path, limits)
    images = [info for info in archive.members if _suffix(info) in SUFFIXES]
    pictures = sorted((_picture(info) for info in images), key=lambda picture: picture.order)
    _check(pictures, limits)
    height, width, channels, resized = _survey(archive, pictures)
    layout = Layout("image", (height, width, channels))
    if layout.width * len(pictures) > limits.max_expanded_bytes:
        what = f"{len(pictures):,} images of {height}×{width}×{channels} are {layout.width * len(pictures):,} bytes"
        raise limits.refuse("max_expanded_bytes", what)
    source = Source(_batches(archive, pictures, layout), {"image": layout}, target="label")
    source.part = PART if pictures[0].part else None
    if resized:
        names = ", ".join(pictures[row - 1].info.filename for row in resized[:3])
        message = f"{len(resized)} images of another size were resized to {height}×{width}: {names}"
        source.warnings.append(Warned(code="resized_images", message=message, rows=resized[:10]))
    others = [info.filename for info in archive.members if _suffix(info) not in SUFFIXES]
    if others:
        message = f"{len(others)} files that are not PNG, JPEG or WebP were left out: {', '.join(others[:5])}"
        source.warnings.append(Warned(code="ignored_files", message=message))
    return source


def _suffix(info: ZipInfo) -> str:
    return PurePosixPath(info.filename).suffix.lower()


def _picture(info: ZipInfo) -> _Picture:
    folders = PurePosixPath(info.filename).parts[:-1]
    if not folders or (folders[-1].lower() in PARTS):
        raise DataError(f"{info.filename} lies in no class folder. Put every image in a folder named after its class.")
    part = next((PARTS[folder.lower()] for folder in folders[:-1] if folder.lower() in PARTS), None)
    return _Picture(info, folders[-1], part)


def _check(pictures: list[_Picture], limits: Limits) -> None:
    if not pictures:
        raise DataError("The zip holds no images. Put PNG, JPEG or WebP files in one folder per class.")
    if len(pictures) > limits.max_rows:
        raise limits.refuse("max_rows", f"The zip holds {len(pictures):,} images")
    folders: dict[tuple[str | None, str], PurePosixPath] = {}
    for picture in pictures:
        folder = PurePosixPath(picture.info.filename).parent
        other = folders.setdefault((picture.part, picture.label), folder)
        if other != folder:
            raise DataError(f"The folders {other} and {folder} name the same class. Put each class in one folder.")
        if (picture.part is None) != (pictures[0].part is None):
            names = f"{picture.info.filename} and {pictures[0].info.filename}"
            raise DataError(f"{names}: one lies in train, val or test, the other does not. Move one.")
    labels = {label for _, label in folders}
    if len(labels) > limits.max_classes:
        raise limits.refuse("max_classes", f"The zip has {len(labels):,} class folders")


@contextmanager
def _open(archive: Archive, info: ZipInfo) -> Iterator[Image.Image]:
    with archive.open(info) as stream:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                yield _decode(stream, archive, info)
        except DataError:
            raise
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise archive.limits.refuse("max_image_pixels", f"{info.filename} has too many pixels") from error
        except _BROKEN as error:
            raise DataError(f"{info.filename} is not a whole PNG, JPEG or WebP image. Replace it.") from error


def _decode(stream: IO[bytes], archive: Archive, info: ZipInfo) -> Image.Image:
    most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, archive.limits.max_image_pixels
    try:
        image = Image.open(stream, formats=_FORMATS)
    finally:
        Image.MAX_IMAGE_PIXELS = most
    if image.width * image.height > archive.limits.max_image_pixels:
        raise archive.limits.refuse("max_image_pixels", f"{info.filename} has {image.width}×{image.height} pixels")
    return image


def _survey(archive: Archive, pictures: list[_Picture]) -> tuple[int, int, int, list[int]]:
    """Height, width, channels, and the rows whose size is another one, from the images' headers alone."""
    sizes: list[tuple[int, int]] = []
    gray = True
    for picture in pictures:
        with _open(archive, picture.info) as image:
            sizes.append((image.height, image.width) if not _turned(image) else (image.width, image.height))
            gray = gray and image.mode in _GRAY
    [(common, _)] = Counter(sizes).most_common(1)
    return *common, 1 if gray else 3, [row for row, size in enumerate(sizes, 1) if size != common]


def _turned(image: Image.Image) -> bool:
    return image.format == "JPEG" and image.getexif().get(_ORIENTATION) in _ROTATED


def _batches(archive: Archive, pictures: list[_Picture], layout: Layout) -> Iterator[pa.RecordBatch]:
    at_once = rows_at_once(layout.width)
    for start in range(0, len(pictures), at_once):
        block = pictures[start : start + at_once]
        pixels = np.empty((len(block), *layout.shape), np.uint8)
        for row, picture in enumerate(block):
            with _open(archive, picture.info) as image:
                pixels[row] = _pixels(image, layout.shape)
        columns = {
            "image": pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(layout.width), len(block), [None, pa.py_buffer(pixels.reshape(-1))]
            ),
            "label": pa.array([picture.label for picture in block], pa.string()),
        }
        if pictures[0].part:
            columns[PART] = pa.array([picture.part for picture in block], pa.string())
        yield pa.record_batch(columns)


def _pixels(image: Image.Image, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
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
