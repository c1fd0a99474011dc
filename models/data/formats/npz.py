"""NumPy archives: ``x`` and ``y``, or ``x_train``, ``y_train``, ``x_test``, ``y_test``."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any
from zipfile import ZipInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from athanor.contract import Warned
from models.data.formats.archive import NUMBERS, PART, PARTS, Archive
from models.data.formats.arrays import layout, pack, rows_at_once, stream_rows
from models.data.formats.limits import Limits
from models.data.table import Source
from models.errors import DataError

_INPUTS = {"x", "images", "image", "data", "inputs", "features"}
_TARGETS = {"y", "labels", "label", "targets", "target"}
_ACCEPTED = "Use x and y, or x_train, y_train, x_test, y_test (also images, data; labels, target)."


@dataclass(frozen=True)
class _Member:
    """One array: its member in the archive and the content of its header."""

    info: ZipInfo
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    @property
    def name(self) -> str:
        return self.info.filename.removesuffix(".npy")

    @property
    def width(self) -> int:
        """Bytes of one row."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize


@dataclass(frozen=True)
class _Pair:
    part: str | None
    inputs: _Member
    targets: _Member | None


def read(path: Path, limits: Limits) -> Source:
    """Columns with the names in the file: ``x``, ``images`` or ``data`` is the input, ``y``, ``labels`` or ``target``
    the target.

    [rows] numbers, booleans or strings are plain columns, [rows, *] numbers are float32 arrays, and uint8 of
    [rows, H, W] or [rows, H, W, 1 or 3] are images. Raises DataError for pickled objects, wrong headers and different
    numbers of rows.
    """
    archive = Archive(path, limits, NUMBERS)
    pairs, ignored = _pairs([_member(archive, info) for info in archive.members])
    inputs, targets = pairs[0].inputs, pairs[0].targets
    name, target = _base(inputs.name), _base(targets.name) if targets else None
    columns = {name: layout(inputs.shape, inputs.dtype)}
    if target and targets:
        columns[target] = layout(targets.shape, targets.dtype)
    parts = any(pair.part for pair in pairs)
    source = Source(
        _batches(archive, pairs, list(columns)),
        {name: kept for name, kept in columns.items() if kept is not None},
        target=target if target and columns[target] is None else None,
        part=PART if parts else None,
    )
    if ignored:
        message = f"arrays left out because their names are unknown: {', '.join(ignored[:10])}. {_ACCEPTED}"
        source.warnings.append(Warned(code="ignored_arrays", message=message))
    return source


def _base(name: str) -> str:
    pieces = [piece for piece in name.split("_") if piece.lower() not in PARTS]
    return "_".join(pieces)


def _member(archive: Archive, info: ZipInfo) -> _Member:
    name = info.filename
    if not name.endswith(".npy"):
        raise DataError(f"{name} in the npz is not an array. Write the file with numpy.savez.")
    with archive.open(info) as stream:
        shape, fortran, dtype = _header(stream, name)
        start = stream.tell()
    if dtype.hasobject:
        raise DataError(f"{name} contains pickled Python objects. Save numbers or fixed-size strings instead.")
    if dtype.kind not in "biufUS":
        raise DataError(f"{name} has the type {dtype}, which cannot be used. Save numbers, booleans or strings.")
    size = dtype.itemsize
    for length in shape:
        size *= length
    if size != info.file_size - start:
        follow = info.file_size - start
        raise DataError(
            f"The header of {name} says {size:,} bytes ({shape}, {dtype}), but {follow:,} follow. Write it again."
        )
    if size > archive.limits.max_expanded_bytes:
        raise archive.limits.refuse("max_expanded_bytes", f"{name} holds {size:,} bytes")
    member = _Member(info, shape, dtype, fortran)
    if len(shape) == 2 and shape[1] == 1 and _role(member.name)[0] != "inputs":
        return _Member(info, shape[:1], dtype, False)
    return member


def _header(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            header = np.lib.format.read_array_header_1_0(stream, max_header_size=10_000)
        else:
            header = np.lib.format.read_array_header_2_0(stream, max_header_size=10_000)
    except DataError:
        raise
    except (ValueError, SyntaxError, TypeError, RecursionError, EOFError, TokenError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise DataError(f"{name} in the npz has no NumPy header ({reason}). Write it with numpy.savez.") from error
    return header


def _role(name: str) -> tuple[str | None, str | None]:
    pieces = name.lower().split("_")
    part = next((PARTS[piece] for piece in pieces if piece in PARTS), None)
    rest = "_".join(piece for piece in pieces if piece not in PARTS)
    return "inputs" if rest in _INPUTS else "targets" if rest in _TARGETS else None, part


def _pairs(members: list[_Member]) -> tuple[list[_Pair], list[str]]:
    found: dict[tuple[str, str | None], _Member] = {}
    ignored = []
    for member in members:
        role, part = _role(member.name)
        if role is None:
            ignored.append(member.name)
        elif (role, part) in found:
            raise DataError(f"{found[role, part].name} and {member.name} have the same role. {_ACCEPTED}")
        else:
            found[role, part] = member
    parts = [part for part in (None, "train", "val", "test") if ("inputs", part) in found]
    if not parts or (None in parts and len(parts) > 1) or any(part not in parts for _, part in found):
        names = ", ".join(member.name for member in members[:20]) or "nothing"
        raise DataError(f"The npz contains {names}. {_ACCEPTED}")
    pairs = [_Pair(part, found["inputs", part], found.get(("targets", part))) for part in parts]
    for pair in pairs:
        _agree(pair, pairs[0])
    return pairs, ignored


def _agree(pair: _Pair, first: _Pair) -> None:
    inputs, targets = pair.inputs, pair.targets
    if (targets is None) != (first.targets is None):
        raise DataError(f"Some parts have targets and some do not. {_ACCEPTED}")
    for one, other in ((inputs, first.inputs), (targets, first.targets)):
        if one is None or other is None:
            continue
        if not one.shape or 0 in one.shape:
            raise DataError(f"{one.name} has the shape {one.shape}; the first axis must be rows, and none may be 0.")
        if one.dtype.kind in "US" and len(one.shape) > 1:
            raise DataError(f"{one.name} is a table of strings, which cannot be used. Upload it as CSV.")
        if one.shape[1:] != other.shape[1:] or one.dtype.kind != other.dtype.kind:
            rows = f"{one.name} {one.shape} and {other.name} {other.shape}"
            raise DataError(f"Rows of {rows} differ in shape or type. Give both the same.")
    if targets is not None and inputs.shape[0] != targets.shape[0]:
        raise DataError(
            f"{inputs.name} has {inputs.shape[0]:,} rows and {targets.name} has {targets.shape[0]:,}. "
            "Give both the same number of rows."
        )


def _batches(archive: Archive, pairs: list[_Pair], names: list[str]) -> Iterator[pa.RecordBatch]:
    for pair in pairs:
        members = [pair.inputs, *([pair.targets] if pair.targets else [])]
        at_once = rows_at_once(max(member.width for member in members))
        with ExitStack() as stack:
            blocks = [_blocks(stack, archive, member, at_once) for member in members]
            for rows in zip(*blocks, strict=True):
                columns = {
                    name: pack(block, layout(member.shape, member.dtype))
                    for name, member, block in zip(names, members, rows, strict=True)
                }
                if pair.part:
                    columns[PART] = pa.array([pair.part] * len(rows[0]), pa.string())
                yield pa.record_batch(columns)


def _blocks(stack: ExitStack, archive: Archive, member: _Member, at_once: int) -> Iterator[npt.NDArray[Any]]:
    stream = stack.enter_context(archive.open(member.info))
    _header(stream, member.name)
    if member.fortran and len(member.shape) > 1:
        [whole] = stream_rows(stream, member.name, member.shape, member.dtype, member.shape[0])
        whole = whole.reshape(-1).reshape(member.shape, order="F")
        return (whole[start : start + at_once] for start in range(0, len(whole), at_once))
    return stream_rows(stream, member.name, member.shape, member.dtype, at_once)
