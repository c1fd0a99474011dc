"""What folders say about pictures and texts: the class, and the part of the data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePosixPath
from zipfile import ZipInfo

from models.data.formats.archive import PARTS

Folders = tuple[str, ...]
Place = tuple[str | None, str | None]
"""The part and the class; None where the folders do not say it."""
ORDER = {None: 0, "train": 1, "val": 2, "test": 3}
"""Rows of the parts follow each other so."""
_NO_CLASS = frozenset({"unsup", "unlabeled", "unlabelled"})
"""Folders of what has no label, as those of the reviews of IMDb."""


@dataclass(frozen=True)
class Placed:
    """A picture or a text of a zip, with what its folders say."""

    info: ZipInfo
    part: str | None
    label: str | None

    @property
    def order(self) -> tuple[int, str, str, str]:
        """Of the rows: by part, file name without folder, and class."""
        name = self.info.filename
        return ORDER[self.part], PurePosixPath(name).name, self.label or "", name


@dataclass(frozen=True)
class Arrangement:
    """Folders of an upload: `root` are those above everything, `part` is the level that names parts."""

    root: Folders
    part: int | None
    inner: Folders
    """Folders between the root or the part, and the classes."""

    def place(self, folders: Folders) -> Place:
        """The part and the class of what is in `folders`."""
        part = None
        if self.part is not None and len(folders) > self.part:
            part = PARTS.get(folders[self.part].lower())
            if part is not None:
                folders = folders[: self.part] + folders[self.part + 1 :]
        for above in (self.root, self.inner):
            if folders[: len(above)] == above:
                folders = folders[len(above) :]
        label = folders[0] if folders else None
        return part, None if is_unlabeled(folders) else label


def is_unlabeled(folders: Folders) -> bool:
    """Whether one of the folders says that what is in it has no label."""
    return any(name.lower() in _NO_CLASS for name in folders)


def places(found: Sequence[Folders]) -> tuple[list[Place], Arrangement]:
    """The part and the class of what is in each of these folders."""
    arrangement = arrange(found)
    placed = [arrangement.place(folders) for folders in found]
    known = {label for part, label in placed if part == "train"} - {None}
    for wanted in ("val", "test"):
        said = {label for part, label in placed if part == wanted}
        if len(known) > 1 and len(said) == 1 and not said & known:
            # A part in one folder of another name, such as test/images, has no classes.
            placed = [(part, None if part == wanted else label) for part, label in placed]
    return placed, arrangement


def has_parts(placed: Iterable[Place]) -> bool:
    """Whether those with a class are in several parts, one of them train."""
    known = {part for part, label in placed if label is not None}
    return "train" in known and len(known) > 1 and None not in known


def arrange(found: Sequence[Folders]) -> Arrangement:
    """Find the roles of the folders that hold pictures or texts.

    A class is the top folder below those that all have in common: in pets/dogs/2023 and pets/cats/2024 these are dogs
    and cats. Folders called train, val and test name parts of the data, above or below the classes.
    """
    distinct = list(set(found))
    root = _common(distinct)
    if all(folders == root for folders in distinct):
        # All pictures are in one folder. It is their class, unless it names a part.
        is_part = bool(root) and root[-1].lower() in PARTS
        return Arrangement(root if is_part else root[:-1], None, ())
    part = _level_of_parts(distinct, len(root))
    if part is None:
        return Arrangement(root, None, _inner(distinct, root))
    below = [folders[:part] + folders[part + 1 :] for folders in distinct if _names_part(folders, part)]
    return Arrangement(root, part, _inner(below, root))


def _inner(found: Sequence[Folders], root: Folders) -> Folders:
    below = [folders[len(root) :] for folders in found if len(folders) > len(root)]
    if not below:
        return ()
    return _common(below)[: min(map(len, below)) - 1]


def _names_part(folders: Folders, level: int) -> bool:
    return len(folders) > level and folders[level].lower() in PARTS


def _level_of_parts(found: Sequence[Folders], start: int) -> int | None:
    for level in range(start, max(map(len, found))):
        names = {folders[level] for folders in found if len(folders) > level}
        parts = {PARTS[name.lower()] for name in names if name.lower() in PARTS}
        if all(_names_part(folders, level) for folders in found):
            return level
        if level > start or not parts:
            continue
        # Pictures that lie in a folder called train, beside others in one called car, show trains.
        is_class = len(parts) == 1 and all(len(folders) == level + 1 for folders in found if len(folders) > level)
        if not is_class:
            return level
    return None


def _common(found: Sequence[Folders]) -> Folders:
    """The first folders that all have in common."""
    if not found:
        return ()
    return tuple(names[0] for names in takewhile(lambda names: len(set(names)) == 1, zip(*found, strict=False)))
