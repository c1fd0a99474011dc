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
from models.data.counted import counted
from models.data.formats.archive import NUMBERS, PART, Archive
from models.data.formats.array_names import ArrayName, by_shape, meaning
from models.data.formats.arrays import layout, pack, rows_at_once, stream_rows
from models.data.formats.limits import Limits
from models.data.table import Layout, Source
from models.errors import DataError

_ACCEPTED = "Use x and y, or x_train, y_train, x_test, y_test (also images, data; labels, target)."
_SHOWN = 10


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
    [rows, H, W], or with 1, 3 or 4 channels before or after H and W, are images. One-hot targets become the numbers of
    the classes. Raises DataError for pickled objects, wrong headers and different numbers of rows.
    """
    archive = Archive(path, limits, NUMBERS)
    members = [_member(archive, info) for info in archive.members]
    names, warnings = _named(members)
    pairs = _pairs(members, names)
    inputs, targets = pairs[0].inputs, pairs[0].targets
    name, target = names[inputs.name].column, names[targets.name].column if targets else None
    is_one_hot = targets is not None and all(_is_one_hot(archive, each.targets) for each in pairs if each.targets)
    columns = {name: layout(inputs.shape, inputs.dtype)}
    if target and targets:
        columns[target] = None if is_one_hot else layout(targets.shape, targets.dtype)
        _check_unlabeled(pairs, columns[target])
    parts = sum(pair.targets is not None or targets is None for pair in pairs)
    source = Source(
        _batches(archive, pairs, list(columns), is_one_hot=is_one_hot, is_divided=parts > 1),
        {name: kept for name, kept in columns.items() if kept is not None},
        target=target if target and columns[target] is None else None,
        part=PART if parts > 1 else None,
        warnings=warnings,
    )
    source.warnings += _said(pairs, is_one_hot=is_one_hot)
    return source


def _named(members: list[_Member]) -> tuple[dict[str, ArrayName], list[Warned]]:
    """What each array is, by its name or, if no name says it, by its shape."""
    names = {member.name: meaning(member.name) for member in members}
    if not any(each.role for each in names.values()):
        guessed = by_shape([member.shape for member in members])
        if guessed is None:
            return names, []
        names = dict(zip(names, guessed, strict=True))
        said = ", ".join(
            f"{name} is {each.column}" + (f" of {each.part}" if each.part else "") for name, each in names.items()
        )
        message = f"the names of {len(names)} arrays do not say what they are; by their shapes, {said}"
        return names, [Warned(code="guessed_arrays", message=message, suggestion=_ACCEPTED)]
    if not (ignored := [name for name, each in names.items() if each.role is None]):
        return names, []
    told = counted(
        len(ignored), "array was left out, because its name is", "arrays were left out, because their names are"
    )
    message = f"{told} unknown: {', '.join(ignored[:_SHOWN])}"
    return names, [Warned(code="ignored_arrays", message=message, suggestion=_ACCEPTED)]


def _said(pairs: list[_Pair], *, is_one_hot: bool) -> list[Warned]:
    found = []
    if is_one_hot and (targets := pairs[0].targets):
        message = (
            f"{targets.name} is one-hot: the class of a row is the place of its 1, from 0 to {targets.shape[1] - 1}"
        )
        found.append(
            Warned(code="one_hot_target", message=message, suggestion="save the numbers of the classes to be sure")
        )
    unknown = sum(pair.inputs.shape[0] for pair in pairs if pair.targets is None)
    if pairs[0].targets is not None and unknown:
        names = ", ".join(pair.inputs.name for pair in pairs if pair.targets is None)
        told = counted(unknown, f"row of {names} has", f"rows of {names} have")
        message = f"{told} no target; no job learns without one"
        cure = "send them to predict, or add their targets and upload again"
        found.append(Warned(code="unlabeled_rows", message=message, suggestion=cure))
    return found


def _check_unlabeled(pairs: list[_Pair], target: Layout | None) -> None:
    if target is not None and any(pair.targets is None for pair in pairs):
        raise DataError(f"Some parts have targets and some do not. {_ACCEPTED}")


def _is_one_hot(archive: Archive, member: _Member) -> bool:
    """Whether each row has a single 1 among zeros."""
    if len(member.shape) != 2 or member.shape[1] < 2 or member.dtype.kind not in "biuf":
        return False
    with ExitStack() as stack:
        return all(
            bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all())
            for rows in _blocks(stack, archive, member, rows_at_once(member.width))
        )


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
    if len(shape) == 2 and shape[1] == 1 and meaning(member.name).role != "inputs":
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


def _pairs(members: list[_Member], names: dict[str, ArrayName]) -> list[_Pair]:
    found: dict[tuple[str, str | None], _Member] = {}
    for member in members:
        role, part = names[member.name].role, names[member.name].part
        if role is None:
            continue
        if (role, part) in found:
            raise DataError(f"{found[role, part].name} and {member.name} have the same role. {_ACCEPTED}")
        found[role, part] = member
    parts = [part for part in (None, "train", "val", "test") if ("inputs", part) in found]
    if not parts or (None in parts and len(parts) > 1) or any(part not in parts for _, part in found):
        told = ", ".join(member.name for member in members[:20]) or "nothing"
        raise DataError(f"The npz contains {told}. {_ACCEPTED}")
    pairs = [_Pair(part, found["inputs", part], found.get(("targets", part))) for part in parts]
    for pair in pairs:
        _agree(pair, pairs[0])
    return pairs


def _agree(pair: _Pair, first: _Pair) -> None:
    inputs, targets = pair.inputs, pair.targets
    if targets is not None and first.targets is None:
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


def _batches(
    archive: Archive, pairs: list[_Pair], names: list[str], *, is_one_hot: bool, is_divided: bool
) -> Iterator[pa.RecordBatch]:
    kind: pa.DataType = pa.null()
    for pair in pairs:
        members = [pair.inputs, *([pair.targets] if pair.targets else [])]
        at_once = rows_at_once(max(member.width for member in members))
        with ExitStack() as stack:
            blocks = [_blocks(stack, archive, member, at_once) for member in members]
            for rows in zip(*blocks, strict=True):
                columns = {names[0]: pack(rows[0], layout(pair.inputs.shape, pair.inputs.dtype))}
                if pair.targets and is_one_hot:
                    columns[names[1]] = pa.array(rows[1].argmax(axis=1))
                elif pair.targets:
                    columns[names[1]] = pack(rows[1], layout(pair.targets.shape, pair.targets.dtype))
                elif len(names) > 1:
                    columns[names[1]] = pa.nulls(len(rows[0]), kind)
                kind = columns[names[-1]].type
                if pair.part and is_divided:
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
