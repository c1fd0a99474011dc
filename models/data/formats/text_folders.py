"""A zip of texts in class folders, such as ``train/pos/1.txt``: each file is a row."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from zipfile import ZipInfo

import pyarrow as pa

from athanor.contract import Encoding, Hints, Warned
from athanor.contract.encodings import CODECS, ENCODINGS
from models.data.counted import counted
from models.data.formats.archive import PART, Archive
from models.data.formats.class_folders import Folders, Place, Placed, has_parts, is_unlabeled, places
from models.data.formats.encoding import MARKS, decide
from models.data.formats.limits import Limits
from models.data.formats.lines import batched
from models.data.table import Source
from models.errors import DataError

SUFFIX = ".txt"
TEXT, CLASS = "text", "label"
_SHOWN = 10
_SAMPLE = 4 << 20
"""Bytes of texts in another encoding that are looked at to find it."""
_LINE_END = re.compile(r"\r\n?")


def fits(names: Sequence[str]) -> bool:
    """Whether the texts among these files are in folders of several classes, with several files in one of them."""
    placed, _ = places([_folders(name) for name in names if _is_text(name)])
    known = [place for place in placed if place[1] is not None]
    return len({label for _, label in known}) > 1 and len(known) > len(set(known))


def read(path: Path, limits: Limits, hints: Hints = Hints()) -> Source:  # noqa: B008 -- frozen
    """Columns ``text`` and ``label``, and ``part`` if folders are called train, val or test. An empty text is missing.

    The class is the top folder below those that all texts share. Texts in a folder called unsup or unlabeled, and those
    of a part without class folders, have no label; others outside of the class folders are left out. Warnings say so.
    Rows are ordered by part, file name without folder, and class. Raises DataError for a file that is no text.
    """
    archive = Archive(path, limits)
    members = [info for info in archive.members if _is_text(info.filename)]
    placed, _ = places([_folders(info.filename) for info in members])
    labels = {label for _, label in placed if label is not None}
    if len(labels) > limits.max_classes:
        raise limits.refuse("max_classes", f"The zip has {len(labels):,} class folders")
    texts = sorted(_kept(members, placed), key=lambda text: text.order)
    if len(texts) > limits.max_rows:
        raise limits.refuse("max_rows", f"The zip contains {len(texts):,} texts")
    limits.check_cells(len(texts), 3, "The table of all texts", is_text=True)
    codec, warnings = _codec(archive, texts, hints)
    source = Source(iter(()), target=CLASS, is_text=True, most_rows=len(texts))
    source.part = PART if has_parts(placed) else None
    source.dialect = {"encoding": codec}
    source.warnings += warnings + _said(archive, texts)
    source.batches = _batches(archive, texts, codec, has_part=source.part is not None)
    return source


def _is_text(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() == SUFFIX


def _folders(name: str) -> Folders:
    return PurePosixPath(name).parts[:-1]


def _kept(members: Sequence[ZipInfo], placed: Sequence[Place]) -> Iterator[Placed]:
    """The texts that are rows. Raises DataError if some of those with a class are in parts, and some are not."""
    known = {part for part, label in placed if label is not None}
    if None in known and len(known) > 1:
        inside, outside = (
            next(
                info.filename
                for info, (part, label) in zip(members, placed, strict=True)
                if label is not None and (part is None) == is_outside
            )
            for is_outside in (False, True)
        )
        raise DataError(f"{inside} is in train, val or test, and {outside} is not. Move one of them.")
    for info, (part, label) in zip(members, placed, strict=True):
        # A list of addresses beside the class folders is no text.
        if label is not None or part not in known | {None} or is_unlabeled(_folders(info.filename)):
            yield Placed(info, part, label)


def _codec(archive: Archive, texts: Sequence[Placed], hints: Hints) -> tuple[Encoding, list[Warned]]:
    """The encoding of the texts that are not marked: that of the hints, else UTF-8, else what all others are in."""
    if hints.encoding is not None:
        return hints.encoding, []
    odd = list[Placed]()
    with tempfile.NamedTemporaryFile(prefix="text-") as sample:
        for text in texts:
            content = _content(archive, text)
            if _decoded(content, "utf-8") is None:
                odd.append(text)
                if sample.tell() < _SAMPLE:
                    sample.write(content + b"\n")
        sample.flush()
        if not odd:
            return "utf-8", []
        first = odd[0].info.filename
        try:
            codec = decide(Path(sample.name), None).encoding
        except DataError as error:
            raise DataError(
                f"{counted(len(odd), 'text is', 'texts are')} not UTF-8, such as {first}. Together: {error}"
            ) from error
    message = counted(len(odd), "is", "are", of=f"{len(texts):,} texts")
    message += f" not UTF-8, such as {first}, and read as {codec}"
    cure = f"if letters are wrong, upload it with another encoding ({ENCODINGS})"
    return codec, [Warned(code="encoding_guessed", message=message, suggestion=cure)]


def _content(archive: Archive, text: Placed) -> bytes:
    most = archive.limits.max_cell_bytes
    with archive.open(text.info) as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise archive.limits.refuse("max_cell_bytes", f"{text.info.filename} is too long for the text of one row")
    return content


def _decoded(content: bytes, codec: Encoding) -> str | None:
    """The text in the encoding of its mark, else in UTF-8, else in `codec`; None if it is in none of them."""
    marked = next(((content[len(mark) :], name) for mark, name in MARKS if content.startswith(mark)), None)
    for piece, name in [marked] if marked else [(content, "utf-8"), (content, CODECS[codec])]:
        try:
            text = piece.decode(name)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    return None


def _said(archive: Archive, texts: Sequence[Placed]) -> list[Warned]:
    found = []
    rows = [row for row, text in enumerate(texts, 1) if text.label is None]
    if rows:
        names = ", ".join(texts[row - 1].info.filename for row in rows[:3])
        message = counted(len(rows), "has", "have", of=f"{len(texts):,} texts")
        message += f" no label ({names}); no job learns a label without one"
        cure = "send them to predict, or move them into class folders"
        found.append(Warned(code="unlabeled_texts", message=message, rows=rows[:_SHOWN], suggestion=cure))
    kept = {text.info.filename for text in texts}
    others = [info.filename for info in archive.members if info.filename not in kept]
    if others:
        of_class = f"{SUFFIX} file in a class folder"
        told = counted(len(others), f"file that is no {of_class} was", f"files that are no {of_class} were")
        message = f"{told} left out: {', '.join(others[:5])}"
        cure = "move texts into the folders of their classes"
        found.append(Warned(code="ignored_files", message=message, suggestion=cure))
    return found


def _batches(archive: Archive, texts: Sequence[Placed], codec: Encoding, *, has_part: bool) -> Iterator[pa.RecordBatch]:
    def rows() -> Iterator[tuple[int, tuple[str | None, str | None, str | None]]]:
        for text in texts:
            content = _content(archive, text)
            said = _decoded(content, codec)
            if said is None:
                raise DataError(f"{text.info.filename} is no text in {codec}. Save it as UTF-8, or leave it out.")
            yield len(content), (_LINE_END.sub("\n", said).rstrip("\n") or None, text.label, text.part)

    for batch in batched(rows()):
        said, labels, parts = (pa.array(cells, pa.string()) for cells in zip(*batch, strict=True))
        columns = {TEXT: said, CLASS: labels} | ({PART: parts} if has_part else {})
        yield pa.record_batch(columns)
