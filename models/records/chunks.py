"""Packed metric points: integers and times as differences, bytes shuffled by significance, compressed with zlib.

A point takes about 10 bytes; a row for each point would take 46 to 92. Layout before compression, all little-endian:
the first step (int64), the bits of the first time (float64 as int64), the first sequence number (int64). Then for n
points: the differences of steps, the values, the differences of the times' bits, the differences of sequence numbers,
each n × 8 bytes transposed to 8 × n.
"""

import zlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Points:
    """Columns of equal length: steps (ascending), values, times in seconds since 1970, sequence numbers (ascending).

    A point has the sequence number 0 until it is recorded (see metrics.append).
    """

    steps: Ints
    values: Floats
    times: Floats
    sequences: Ints

    @classmethod
    def of(cls, steps: npt.ArrayLike, values: npt.ArrayLike, times: npt.ArrayLike) -> "Points":
        columns = (np.array(steps, np.int64), np.array(values, np.float64), np.array(times, np.float64))
        return cls(*columns, np.zeros_like(columns[0]))

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, which: slice | npt.NDArray[np.generic]) -> "Points":
        return Points(self.steps[which], self.values[which], self.times[which], self.sequences[which])


def join(parts: list[Points]) -> Points:
    """Concatenate points. `parts` may be empty."""
    if not parts:
        return Points.of([], [], [])
    return Points(
        np.concatenate([part.steps for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.sequences for part in parts]),
    )


def pack(points: Points) -> bytes:
    bits = points.times.view(np.int64)
    base = np.array([points.steps[0], bits[0], points.sequences[0]], "<i8").tobytes()
    steps, times, sequences = (np.diff(column, prepend=column[0]) for column in (points.steps, bits, points.sequences))
    columns = (steps, points.values, times, sequences)
    shuffled = [np.ascontiguousarray(column.view(np.uint8).reshape(-1, 8).T).tobytes() for column in columns]
    return zlib.compress(base + b"".join(shuffled), 1)


class Unreadable(ValueError):
    """Bytes that `pack` did not make."""


def unpack(packed: bytes) -> Points:
    """Raises Unreadable."""
    try:
        return _unpack(packed)
    except (zlib.error, ValueError) as error:
        raise Unreadable(str(error)) from error


def _unpack(packed: bytes) -> Points:
    raw = zlib.decompress(packed)
    first_step, first_bits, first_sequence = np.frombuffer(raw[:24], "<i8")
    n = (len(raw) - 24) // 32
    bytes_n4 = np.frombuffer(raw, np.uint8, offset=24).reshape(4, 8, n).transpose(0, 2, 1)
    steps, values, bits, sequences = np.ascontiguousarray(bytes_n4).view(np.int64).reshape(4, n)
    return Points(
        first_step + np.cumsum(steps),
        values.view(np.float64),
        (first_bits + np.cumsum(bits)).view(np.float64),
        first_sequence + np.cumsum(sequences),
    )


def extremes(points: Points) -> tuple[tuple[int, float], tuple[int, float]] | None:
    """(step, value) of the smallest and of the largest finite value, the first if equal; None if none is finite."""
    finite = np.flatnonzero(np.isfinite(points.values))
    if not len(finite):
        return None
    low = finite[np.argmin(points.values[finite])]
    high = finite[np.argmax(points.values[finite])]
    return (
        (int(points.steps[low]), float(points.values[low])),
        (int(points.steps[high]), float(points.values[high])),
    )


def thin(points: Points, most: int) -> Points:
    """Thin to at most `most` points (≥ 4): the first, the last, and each interval's extremes. NaN counts as lowest."""
    if len(points) <= most:
        return points
    edges = np.linspace(0, len(points), max(1, (most - 2) // 2) + 1).astype(np.int64)
    low = np.where(np.isnan(points.values), -np.inf, points.values)
    chosen = {0, len(points) - 1}
    for start, stop in pairwise(edges):
        if stop > start:
            # argmin finds the first NaN, if there is one, even if the interval also has minus infinity.
            chosen.add(int(start + np.argmin(points.values[start:stop])))
            chosen.add(int(start + np.argmax(low[start:stop])))
    return points[np.array(sorted(chosen))]
