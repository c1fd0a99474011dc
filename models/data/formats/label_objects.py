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
from models.errors import DataError

_LOOKED_AT = 1000
"""Keys that are compared with the names of pictures."""
_BEGINS = re.compile(rb'\s*\{\s*"(?:[^"\\]|\\.){1,1000}"\s*:\s*["\dn-]')
"""How such an object begins. Others, such as COCO's, are not parsed for it."""


def read(path: Path, limits: Limits, encoding: Encoding | None, pictures: PictureNames) -> Source | None:
    """A table of the columns `name` and `label`, with a row for each key. A null or NaN is a missing label.

    None for what is no such object: most of its keys name pictures. It is as long as an object of a JSON file may be.
    Raises DataError for text in no known encoding, and for values that are no labels.
    """
    text = open_text(path, limits, encoding)
    if not _BEGINS.match(next(text.pieces(), b"")) or text.path.stat().st_size > limits.max_line_bytes:
        return None
    try:
        # Numbers stay as they are written.
        pairs = json.loads(
            b"".join(text.pieces()).decode(),
            object_pairs_hook=_Pairs,
            parse_int=str,
            parse_float=str,
            parse_constant=_missing,
        )
        if not isinstance(pairs, _Pairs):
            return None
        # Half a surrogate pair is no text.
        names = pa.array([key for key, _ in pairs], pa.string()).to_pylist()
    except (RecursionError, ValueError):
        return None
    fits = pictures.fits(names[:_LOOKED_AT])
    if 2 * sum(bool(fits[name].pictures) for name in names[:_LOOKED_AT]) <= len(names[:_LOOKED_AT]):
        return None
    labels = [value for _, value in pairs]
    if not all(value is None or isinstance(value, str) for value in labels):
        raise DataError("Its keys name images, and some of its values are neither texts nor numbers")
    try:
        batch = pa.record_batch({"name": pa.array(names, pa.string()), "label": pa.array(labels, pa.string())})
    except UnicodeEncodeError as error:
        raise DataError("Some of its labels are no text") from error
    limits.check_cells(len(pairs), 2, "The object", is_text=True)
    source = Source(iter([batch]), {}, is_text=True, most_rows=len(pairs))
    source.warnings = list(text.warnings)
    return source


class _Pairs(list[tuple[str, Any]]):
    """The keys and values of an object, in which a key may come twice."""


def _missing(constant: str) -> None:
    """NaN and infinities, which Python writes beside JSON, are no label."""
