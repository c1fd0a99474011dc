"""A zip of images in class folders: ``cat/1.png``, or ``train/cat/1.png`` and ``test/cat/2.png``."""

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zipfile import ZipInfo

import numpy as np
import pyarrow as pa
from PIL import Image

from athanor.contract import Warned
from models.data.formats.archive import PART, PARTS, Archive
from models.data.formats.arrays import rows_at_once
from models.data.formats.images import BROKEN, is_gray, opened, pixels, upright
from models.data.formats.limits import Limits
from models.data.table import Layout, Source
from models.errors import DataError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
_ORDER = {None: 0, "train": 1, "val": 2, "test": 3}


@dataclass(frozen=True)
class _Picture:
    info: ZipInfo
    label: str
    part: str | None

    @property
    def order(self) -> tuple[int, str, str]:
        return _ORDER[self.part], PurePosixPath(self.info.filename).name, self.label


def read(path: Path, limits: Limits) -> Source:
    """Columns ``image`` and ``label``, and ``part`` if the class folders are in folders train, val or test.

    The class of an image is the name of its folder. Rows are ordered by part, file name without folder, and class.
    Every image is resized to the most common size, with one channel if all are gray, else three. Raises DataError for
    a broken image, and names it.
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
        raise DataError(f"{info.filename} is not in a class folder. Put every image in a folder named after its class.")
    part = next((PARTS[folder.lower()] for folder in folders[:-1] if folder.lower() in PARTS), None)
    return _Picture(info, folders[-1], part)


def _check(pictures: list[_Picture], limits: Limits) -> None:
    if not pictures:
        raise DataError("The zip contains no images. Put PNG, JPEG or WebP files in one folder per class.")
    if len(pictures) > limits.max_rows:
        raise limits.refuse("max_rows", f"The zip contains {len(pictures):,} images")
    folders: dict[tuple[str | None, str], PurePosixPath] = {}
    for picture in pictures:
        folder = PurePosixPath(picture.info.filename).parent
        other = folders.setdefault((picture.part, picture.label), folder)
        if other != folder:
            raise DataError(f"The folders {other} and {folder} name the same class. Put each class in one folder.")
        if (picture.part is None) != (pictures[0].part is None):
            names = f"{picture.info.filename} and {pictures[0].info.filename}"
            raise DataError(f"{names}: one is in train, val or test, the other is not. Move one of them.")
    labels = {label for _, label in folders}
    if len(labels) > limits.max_classes:
        raise limits.refuse("max_classes", f"The zip has {len(labels):,} class folders")


@contextmanager
def _open(archive: Archive, info: ZipInfo, *, whole: bool = True) -> Iterator[tuple[Image.Image, int]]:
    """An image, and the number of pixels that decoding it takes."""
    most = archive.limits.max_image_pixels
    with archive.open(info) as stream:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                image, cost = opened(stream, most, whole=whole)
                if image.width * image.height > most:
                    what = f"{info.filename} has {image.width}×{image.height} pixels"
                    raise archive.limits.refuse("max_image_pixels", what)
                yield image, cost
        except DataError:
            raise
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise archive.limits.refuse("max_image_pixels", f"{info.filename} has too many pixels") from error
        except BROKEN as error:
            raise DataError(f"{info.filename} is not a complete PNG, JPEG or WebP image. Replace it.") from error


def _survey(archive: Archive, pictures: list[_Picture]) -> tuple[int, int, int, list[int]]:
    """The most common height and width, the channels, and the rows of another size. Decodes no pixels.

    Raises OverLimit if decoding or storing all pixels would take too long.
    """
    limits, sizes = archive.limits, list[tuple[int, int]]()
    gray, total = True, 0
    for picture in pictures:
        with _open(archive, picture.info, whole=False) as (image, cost):
            sizes.append(upright(image))
            gray = gray and is_gray(image)
        total += cost
        if total > limits.max_pixels:
            what = f"The first {len(sizes):,} images, up to {picture.info.filename}, have {total:,} pixels to decode"
            raise limits.refuse("max_pixels", what)
    [(common, _)] = Counter(sizes).most_common(1)
    if common[0] * common[1] * len(sizes) > limits.max_pixels:
        what = f"{len(sizes):,} images, resized to the most common size of {common[0]}×{common[1]}, are too many pixels"
        raise limits.refuse("max_pixels", what)
    return *common, 1 if gray else 3, [row for row, size in enumerate(sizes, 1) if size != common]


def _batches(archive: Archive, pictures: list[_Picture], layout: Layout) -> Iterator[pa.RecordBatch]:
    at_once = rows_at_once(layout.width)
    for start in range(0, len(pictures), at_once):
        block = pictures[start : start + at_once]
        block_NHWC = np.empty((len(block), *layout.shape), np.uint8)
        for row, picture in enumerate(block):
            with _open(archive, picture.info) as (image, _):
                block_NHWC[row] = pixels(image, layout.shape)
        columns = {
            "image": pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(layout.width), len(block), [None, pa.py_buffer(block_NHWC.reshape(-1))]
            ),
            "label": pa.array([picture.label for picture in block], pa.string()),
        }
        if pictures[0].part:
            columns[PART] = pa.array([picture.part for picture in block], pa.string())
        yield pa.record_batch(columns)
