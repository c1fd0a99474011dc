"""One object of JSON that gives each picture its label by its name, such as `{"1.png": "cat"}`."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa

from athanor.contract import Encoding
from models.data.formats.limits import Limits
from models.data.formats.picture_names import PictureNames
from models.data.formats.text_file import open_text
from models.data.table import Source

_LOOKED_AT = 1000
"""Keys that are compared with the names of pictures."""
_BEGINS = re.compile(rb'\s*\{\s*"(?:[^"\\]|\\.){1,1000}"\s*:\s*["\dn-]')
"""How such an object begins. Others, such as COCO's, are not parsed for it."""


def read(path: Path, limits: Limits, encoding: Encoding | None, pictures: PictureNames) -> Source | None:
    """A table of the columns `name` and `label`, with a row for each key. A null is a missing label.

    None for what is no such object: one whose values are all strings and numbers, and most of whose keys name pictures.
    It may be as long as an object of a JSON file may be. Raises DataError for text in no known encoding.
    """
    text = open_text(path, limits, encoding)
    if not _BEGINS.match(next(text.pieces(), b"")) or text.path.stat().st_size > limits.max_line_bytes:
        return None
    try:
        pairs = json.loads(b"".join(text.pieces()).decode(), object_pairs_hook=_Pairs)
        if not isinstance(pairs, _Pairs) or not all(_is_label(value) for _, value in pairs):
            return None
        labels = [value if value is None else str(value) for _, value in pairs]
        batch = pa.record_batch(
            {"name": pa.array([key for key, _ in pairs], pa.string()), "label": pa.array(labels, pa.string())}
        )
    except (RecursionError, ValueError):
        return None
    names = batch["name"].to_pylist()[:_LOOKED_AT]
    fits = pictures.fits(names)
    if 2 * sum(bool(fits[name].pictures) for name in names) <= len(names):
        return None
    limits.check_cells(len(pairs), 2, "The object", is_text=True)
    source = Source(iter([batch]), {}, is_text=True, most_rows=len(pairs))
    source.warnings = list(text.warnings)
    return source


class _Pairs(list[tuple[str, Any]]):
    """The keys and values of an object, in which a key may come twice."""


def _is_label(value: Any) -> bool:
    return value is None or (isinstance(value, str | int | float) and not isinstance(value, bool))
