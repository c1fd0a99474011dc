"""What the names of arrays say: inputs or targets, and the part of the data."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from models.data.formats.archive import PARTS

Role = Literal["inputs", "targets"]

_SHORT = {"tr": "train", "trn": "train", "va": "val", "te": "test", "tst": "test"}
_INPUTS = {
    *("x", "image", "images", "img", "imgs", "picture", "pictures", "pixels"),
    *("data", "input", "inputs", "feature", "features", "sample", "samples", "signals"),
}
_TARGETS = {"y", "label", "labels", "target", "targets", "class", "classes", "output", "outputs"}
_FILLERS = {"set", "all"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")
_JOINED = re.compile(f"(?P<first>x|y)(?P<part>{'|'.join({**PARTS, **_SHORT})})", re.IGNORECASE)


@dataclass(frozen=True)
class ArrayName:
    """The meaning of a name. `column` is the name without the part: X for X_train, trainX and Xtrain."""

    column: str
    role: Role | None
    part: str | None


def meaning(name: str) -> ArrayName:
    """The meaning of names such as x, y_train, trainX, Xtr or test_labels."""
    joined = _JOINED.fullmatch(name)
    words = [joined["first"], joined["part"]] if joined else _WORD.findall(name)
    parts = PARTS | _SHORT
    part = next((parts[word.lower()] for word in words if word.lower() in parts), None)
    rest = [word for word in words if word.lower() not in parts and word.lower() not in _FILLERS]
    if len(rest) != 1 or not (role := _role(rest[0].lower())):
        return ArrayName(name, None, part)
    return ArrayName(rest[0], role, part)


def _role(word: str) -> Role | None:
    return "inputs" if word in _INPUTS else "targets" if word in _TARGETS else None


def by_shape(shapes: Sequence[tuple[int, ...]]) -> list[ArrayName] | None:
    """The meaning of arrays without telling names, as numpy.savez(x, y) writes them; None if the shapes do not say it.

    Two arrays with the same number of rows are an input and a target: the target has fewer numbers in a row, else it is
    the second. Of four, two of each number of rows, the larger two are for training.
    """
    if not all(shapes) or len(shapes) not in (2, 4):
        return None
    rows = sorted({shape[0] for shape in shapes}, reverse=True)
    groups = [[at for at, shape in enumerate(shapes) if shape[0] == count] for count in rows]
    if any(len(group) != 2 for group in groups):
        return None
    found: dict[int, ArrayName] = {}
    for group, part in zip(groups, ("train", "test") if len(groups) > 1 else (None,), strict=True):
        one, other = group
        if len(shapes[one]) < len(shapes[other]):
            one, other = other, one
        found[one], found[other] = ArrayName("x", "inputs", part), ArrayName("y", "targets", part)
    return [found[at] for at in range(len(shapes))]
