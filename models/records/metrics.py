"""Metric series: append a batch, cut off what a resume will do again, read a window."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

import numpy as np
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from athanor.contract import Metrics
from athanor.contract import Series as SeriesAnswer
from models.records.chunks import Points, Unreadable, extremes, join, pack, thin, unpack
from models.records.tables import Chunk, Series

SEALED = 512
"""Points at which a chunk is closed and the next begun."""
COMPACT = 4096
"""Points of a chunk made of closed ones: fewer rows to read a long series from."""


def append(tx: Session, job_id: str, batch: dict[str, Points]) -> None:
    """Add points, each series ascending. The caller holds the job's row (see jobs.beat).

    Steps that are there already are passed over: a commit whose answer was lost is tried again.
    """
    for name, points in batch.items():
        later = _later(tx, job_id, name, points)
        if len(later):
            _grow(tx, job_id, name, later)
            _summarize(tx, job_id, name, later)


def _later(tx: Session, job_id: str, name: str, points: Points) -> Points:
    last = tx.scalar(select(Series.last_step).where(Series.job_id == job_id, Series.name == name))
    return points if last is None else points[points.steps > last]


def _grow(tx: Session, job_id: str, name: str, points: Points) -> None:
    tail = tx.execute(
        select(Chunk.first_step, Chunk.n, Chunk.packed)
        .where(Chunk.job_id == job_id, Chunk.series == name)
        .order_by(Chunk.first_step.desc())
        .limit(1)
    ).first()
    if tail is not None and tail.n < SEALED:
        # One that cannot be read stays as it is: it must not keep its job from going on.
        with suppress(Unreadable):
            points = join([unpack(tail.packed), points])
            _drop(tx, job_id, name, [tail.first_step])
    for start in range(0, len(points), SEALED):
        _write(tx, job_id, name, points[start : start + SEALED])
    _compact(tx, job_id, name)


def _compact(tx: Session, job_id: str, name: str) -> None:
    closed = tx.execute(
        select(Chunk.first_step, Chunk.packed)
        .where(Chunk.job_id == job_id, Chunk.series == name, Chunk.n == SEALED)
        .order_by(Chunk.first_step)
        .limit(COMPACT // SEALED)
    ).all()
    if len(closed) == COMPACT // SEALED:
        with suppress(Unreadable):
            whole = join([unpack(row.packed) for row in closed])
            _drop(tx, job_id, name, [row.first_step for row in closed])
            _write(tx, job_id, name, whole)


def _write(tx: Session, job_id: str, name: str, points: Points) -> None:
    ends = extremes(points)
    tx.execute(
        insert(Chunk).values(
            job_id=job_id,
            series=name,
            first_step=int(points.steps[0]),
            last_step=int(points.steps[-1]),
            n=len(points),
            vmin=ends[0][1] if ends else None,
            vmax=ends[1][1] if ends else None,
            packed=pack(points),
        )
    )


def _drop(tx: Session, job_id: str, name: str, first_steps: list[int]) -> None:
    tx.execute(delete(Chunk).where(Chunk.job_id == job_id, Chunk.series == name, Chunk.first_step.in_(first_steps)))


def _summarize(tx: Session, job_id: str, name: str, points: Points) -> None:
    where = (Series.job_id == job_id, Series.name == name)
    known = tx.execute(select(Series.min_value, Series.max_value).where(*where)).first()
    new: dict[str, float | int | None] = {
        "last_step": int(points.steps[-1]),
        # SQLite turns NaN into NULL; so does this, for both databases to agree.
        "last_value": None if np.isnan(points.values[-1]) else float(points.values[-1]),
    }
    ends = extremes(points)
    if ends is not None:
        (low_step, low), (high_step, high) = ends
        if known is None or known.min_value is None or low < known.min_value:
            new |= {"min_step": low_step, "min_value": low}
        if known is None or known.max_value is None or high > known.max_value:
            new |= {"max_step": high_step, "max_value": high}
    if known is None:
        tx.execute(insert(Series).values(job_id=job_id, name=name, **new))
    else:
        tx.execute(update(Series).where(*where).values(**new))


def truncate(tx: Session, job_id: str, step: int) -> None:
    """Forget every point after `step`: the attempt that resumes there will report it again.

    And every chunk there that cannot be read: a damaged row must not keep its job from being claimed.
    """
    beyond = tx.execute(
        select(Chunk.series, Chunk.first_step, Chunk.packed)
        .where(Chunk.job_id == job_id, Chunk.last_step > step)
        .order_by(Chunk.first_step)
    ).all()
    for row in beyond:
        _drop(tx, job_id, row.series, [row.first_step])
        with suppress(Unreadable):
            points = unpack(row.packed)
            kept = points[points.steps <= step]
            if len(kept):
                _write(tx, job_id, row.series, kept)
    for name in {row.series for row in beyond}:
        tx.execute(delete(Series).where(Series.job_id == job_id, Series.name == name))
        for points in _telling(tx, job_id, name):
            _summarize(tx, job_id, name, points)


def _telling(tx: Session, job_id: str, name: str) -> Iterator[Points]:
    """The chunks that a summary needs, of however many: the one of the least value, of the greatest, and the last."""
    here = (Chunk.job_id == job_id, Chunk.series == name)
    rows = tx.execute(select(Chunk.first_step, Chunk.vmin, Chunk.vmax).where(*here).order_by(Chunk.first_step)).all()
    finite = [row for row in rows if row.vmin is not None]
    chosen = rows[-1:]
    if finite:
        chosen = [min(finite, key=lambda row: row.vmin), max(finite, key=lambda row: row.vmax), *chosen]
    steps = [row.first_step for row in chosen]
    query = select(Chunk.packed).where(*here, Chunk.first_step.in_(steps)).order_by(Chunk.first_step)
    return _readable(tx.scalars(query))


def _readable(chunks: Iterable[bytes]) -> Iterator[Points]:
    """Without damaged ones: they must not keep anyone from the rest."""
    for packed in chunks:
        with suppress(Unreadable):
            yield unpack(packed)


def read(
    tx: Session, job_id: str, names: list[str] | None, after: int | None, most: int | None, upto: int | None = None
) -> Metrics:
    """Points later than `after` of the named series, each thinned to at most `most`; None: of all that have any.

    With `upto`, none later than that step either; `next` then says where to go on.
    """
    query = select(Series.name, Series.last_step).where(Series.job_id == job_id).order_by(Series.name)
    known = [row for row in tx.execute(query) if names is None or row.name in names]
    answer = {}
    for name in names if names is not None else [row.name for row in known]:
        points = _read(tx, job_id, name, after, upto)
        if names is None and not len(points):
            continue
        points = thin(points, most) if most else points
        answer[name] = SeriesAnswer(
            steps=points.steps.tolist(), values=points.values.tolist(), times=points.times.tolist()
        )
    last = max([after or 0, *(row.last_step for row in known)])
    return Metrics(series=answer, next=last if upto is None else min(last, upto))


def newest_step(tx: Session, job_id: str, names: list[str] | None) -> int:
    """The last step any of the series (None: all) has a point for; 0 where there is none."""
    query = select(Series.last_step).where(Series.job_id == job_id)
    if names is not None:
        query = query.where(Series.name.in_(names))
    return max(tx.scalars(query), default=0)


def _read(tx: Session, job_id: str, name: str, after: int | None, upto: int | None) -> Points:
    query = select(Chunk.packed).where(Chunk.job_id == job_id, Chunk.series == name).order_by(Chunk.first_step)
    if after is not None:
        query = query.where(Chunk.last_step > after)
    if upto is not None:
        query = query.where(Chunk.first_step <= upto)
    points = join(list(_readable(tx.scalars(query))))
    points = points if after is None else points[points.steps > after]
    return points if upto is None else points[points.steps <= upto]
