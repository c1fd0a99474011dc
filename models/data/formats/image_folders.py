"""A zip of pictures: in class folders, such as ``train/cat/1.png``, or beside a table that names them."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from zipfile import ZipInfo

import numpy as np
import pyarrow as pa
from PIL import Image

from athanor.contract import Hints, Warned
from models.data.counted import counted
from models.data.formats import label_tables
from models.data.formats.archive import PART, Archive
from models.data.formats.arrays import rows_at_once
from models.data.formats.class_folders import Arrangement, Folders, Placed, has_parts, places
from models.data.formats.images import BROKEN_INSIDE, NAMED, Pixels, Reading, opened, pixels
from models.data.formats.label_rows import CLASS, LabelTable
from models.data.formats.limits import Limits
from models.data.formats.survey import SHOWN, Survey
from models.data.table import Layout, Source
from models.errors import DataError

IMAGE = "image"
SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm")
)


def read(path: Path, limits: Limits, hints: Hints = Hints()) -> Source:  # noqa: B008 -- frozen
    """Columns ``image`` and ``label``, and ``part`` if folders are called train, val or test.

    The class of a picture is the top folder below those that all pictures share. A table that names the pictures
    may have other labels: its columns are those of the dataset then, and files called train and test are its parts.
    Rows are ordered by part of the folder, file name without folder, and class. All pictures get one size (see Survey),
    with one channel if all are gray, else three. Pictures without a class have no label, and damaged ones are left out;
    warnings say so. Raises DataError if nothing can be learned.
    """
    archive = Archive(path, limits)
    pictures, arrangement = _arranged(archive)
    if not pictures:
        raise DataError(f"The zip contains no images. Put {NAMED} files in one folder per class.")
    if len(pictures) > limits.max_rows:
        raise limits.refuse("max_rows", f"The zip contains {len(pictures):,} images")
    labels = {picture.label for picture in pictures if picture.label is not None}
    folders = [(each.part, each.label) for each in pictures]
    found = label_tables.find(archive, [each.info for each in pictures], folders, hints.encoding)
    table = found.table
    if table is None:
        _check(pictures, labels, limits, found.warnings)
    else:
        pictures = [replace(each, part=part) for each, part in zip(pictures, table.parts, strict=True)]
    source = Source(iter(()), target=None if table else CLASS, untyped=table is not None, is_text=table is not None)
    survey = Survey(limits, hints, IMAGE)
    damaged = set(_surveyed(archive, pictures, survey))
    if len(damaged) == len(pictures):
        raise _broken(pictures[0].info)
    layout = survey.layout()
    name = IMAGE if table is None or IMAGE not in table.names else "picture"
    source.layouts = {name: layout}
    source.part = PART if _has_parts(pictures, table) else None
    source.dialect = {"image": {"size": list(layout.shape), **layout.pixels}}
    source.warnings += survey.warnings() + found.warnings + _said(archive, pictures, arrangement, table)
    source.batches = _batches(archive, pictures, table, name, layout, damaged, source)
    return source


def _suffix(info: ZipInfo) -> str:
    return PurePosixPath(info.filename).suffix.lower()


def _folders(name: str) -> Folders:
    return PurePosixPath(name).parts[:-1]


def _arranged(archive: Archive) -> tuple[list[Placed], Arrangement]:
    images = [info for info in archive.members if _suffix(info) in SUFFIXES]
    placed, arrangement = places([_folders(info.filename) for info in images])
    pictures = [Placed(info, part, label) for info, (part, label) in zip(images, placed, strict=True)]
    return sorted(pictures, key=lambda picture: picture.order), arrangement


def _check(pictures: list[Placed], labels: set[str], limits: Limits, said: list[Warned]) -> None:
    if not labels:
        tables = "".join(f" ({warned.message})" for warned in said[:1])
        raise DataError(
            f"{pictures[0].info.filename} is not in a class folder. Put every image in a folder named after its class, "
            f"or add a table with the names of the images and their labels{tables}."
        )
    if len(labels) > limits.max_classes:
        raise limits.refuse("max_classes", f"The zip has {len(labels):,} class folders")
    known = [picture for picture in pictures if picture.label is not None]
    for picture in known:
        if (picture.part is None) != (known[0].part is None):
            names = f"{picture.info.filename} and {known[0].info.filename}"
            raise DataError(f"{names}: one is in train, val or test, the other is not. Move one of them.")


def _has_parts(pictures: Sequence[Placed], table: LabelTable | None) -> bool:
    """Whether the pictures with a label are in several parts, one of them train."""
    if table is None:
        return has_parts((each.part, each.label) for each in pictures)
    labeled = (CLASS if is_found else None for is_found in table.found)
    return PART not in table.names and has_parts(zip((each.part for each in pictures), labeled, strict=True))


@contextmanager
def _open(archive: Archive, info: ZipInfo, *, whole: bool = True) -> Iterator[tuple[Image.Image, int]]:
    """An image, and the number of pixels that decoding it takes."""
    most = archive.limits.max_image_pixels
    with archive.open(info) as stream:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
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
        except BROKEN_INSIDE as error:
            raise _broken(info) from error


class _Damaged(DataError):
    """A picture that cannot be decoded."""


def _broken(info: ZipInfo) -> _Damaged:
    return _Damaged(f"{info.filename} is not a complete {NAMED} image. Replace it.")


def _surveyed(archive: Archive, pictures: list[Placed], survey: Survey) -> Iterator[int]:
    """Show all pictures to the survey. Yields the places of those that are damaged."""
    for place, picture in enumerate(pictures):
        try:
            with _open(archive, picture.info, whole=False) as (image, cost):
                wanted = survey.see(place + 1, picture.info.filename, image, cost)
            if wanted:
                with _open(archive, picture.info) as (image, _):
                    survey.look(image)
        except _Damaged:
            yield place


def _said(archive: Archive, pictures: list[Placed], arrangement: Arrangement, table: LabelTable | None) -> list[Warned]:
    found = []
    unknown = [
        row
        for row, picture in enumerate(pictures)
        if (picture.label is None if table is None else not table.found[row])
    ]
    if unknown:
        names = ", ".join(pictures[row].info.filename for row in unknown[:3])
        told = counted(len(unknown), "has", "have", of=f"{len(pictures):,} images")
        message = f"{told} no label ({names}); no job learns without one"
        found.append(
            Warned(
                code="unlabeled_images",
                message=message,
                rows=[row + 1 for row in unknown[:SHOWN]],
                suggestion="send them to predict, or add their labels and upload again",
            )
        )
    if table is None and (empty := _empty(archive, pictures, arrangement)):
        message = f"{counted(len(empty), 'class folder has', 'class folders have')} no images: {', '.join(empty[:5])}"
        cure = "add images to them, or remove the folders"
        found.append(Warned(code="empty_classes", message=message, suggestion=cure))
    if table is not None and len(labels := sorted({each.label for each in pictures if each.label is not None})) > 1:
        message = f"the labels come from {', '.join(table.files[:5])}, and not from the {len(labels):,} folders "
        message += ", ".join(label[:100] for label in labels[:5])
        cure = "leave the table out, if the folders are the classes"
        found.append(Warned(code="unused_folders", message=message, suggestion=cure))
    readable = SUFFIXES | label_tables.READERS.keys()
    others = [info.filename for info in archive.members if _suffix(info) not in readable]
    if others:
        told = counted(len(others), f"file that is not {NAMED} was", f"files that are not {NAMED} were")
        message = f"{told} left out: {', '.join(others[:5])}"
        cure = "convert them if they are pictures, or to CSV, XLSX or JSON if they hold labels"
        found.append(Warned(code="ignored_files", message=message, suggestion=cure))
    return found


def _empty(archive: Archive, pictures: list[Placed], arrangement: Arrangement) -> list[str]:
    """Class folders without pictures, with their parts."""
    filled = {(picture.part, picture.label) for picture in pictures}
    is_divided = arrangement.part is not None
    empty = set()
    for name in archive.folders:
        folders = PurePosixPath(name).parts
        above = arrangement.root + arrangement.inner
        if len(folders) <= len(arrangement.root) or folders[: len(arrangement.root)] != arrangement.root:
            continue
        part, label = arrangement.place(folders)
        if label is None or (is_divided and part is None) or label in above:
            continue
        if (part, label) not in filled:
            empty.add(label if part is None else f"{part}/{label}")
    return sorted(empty)


def _batches(
    archive: Archive,
    pictures: list[Placed],
    table: LabelTable | None,
    name: str,
    layout: Layout,
    damaged: set[int],
    source: Source,
) -> Iterator[pa.RecordBatch]:
    at_once, lost = rows_at_once(layout.width), list[str]()
    reading = Reading.of(layout.shape, layout.pixels)
    for start in range(0, len(pictures), at_once):
        kept = list[int]()
        cells_NHWC = np.empty((min(at_once, len(pictures) - start), *layout.shape), np.uint8)
        for place in range(start, min(start + at_once, len(pictures))):
            cell = None if place in damaged else _decoded(archive, pictures[place], reading)
            if cell is None:
                source.skipped.append(place + 1)
                lost.append(pictures[place].info.filename)
                continue
            cells_NHWC[len(kept)] = cell
            kept.append(place)
        if not kept:
            continue
        data = pa.py_buffer(cells_NHWC[: len(kept)].reshape(-1))
        columns = {name: pa.FixedSizeBinaryArray.from_buffers(pa.binary(layout.width), len(kept), [None, data])}
        if table is None:
            columns[CLASS] = pa.array([pictures[place].label for place in kept], pa.string())
        else:
            rows = table.columns.take(pa.array(kept)).combine_chunks()
            columns |= {each: _chunk(rows[each]) for each in table.names}
        if source.part:
            columns[PART] = pa.array([pictures[place].part for place in kept], pa.string())
        yield pa.record_batch(columns)
    if len(lost) == len(pictures):
        raise _broken(pictures[0].info)
    if lost:
        told = counted(len(lost), "is", "are", of=f"{len(pictures):,} images")
        message = f"{told} damaged and left out: {', '.join(lost[:5])}"
        cure = "write them again, and upload"
        rows = source.skipped[:SHOWN]
        source.warnings.append(Warned(code="damaged_images", message=message, rows=rows, suggestion=cure))


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _decoded(archive: Archive, picture: Placed, reading: Reading) -> Pixels | None:
    try:
        with _open(archive, picture.info) as (image, _):
            return pixels(image, reading)
    except _Damaged:
        return None
