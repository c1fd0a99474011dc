"""Metric series: append a batch, remove the points that a resume will compute again, read a window.

Each point of a job has a sequence number: how many points the job had recorded when it came, itself included. Numbers
are given under the lock on the job's row and never twice, so they are committed in their order, and a reader who has
seen everything up to S misses nothing by asking for what is later than S, whatever the steps of later points. Within a
batch, points are numbered by their steps. Within a series, steps and sequence numbers rise together: a point for an
earlier step than the last of its series is passed over.

A resume cuts a job's series off after the checkpoint that it starts from, and does not take the numbers back: the
points that are computed again have new ones. A reader sees a series go back to a step that it has had, and drops what
it holds of that series from this step on (`Series.followed_by` of the contract does so).
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from athanor.contract import Metrics
from athanor.contract import Series as SeriesAnswer
from models.records.chunks import Points, Unreadable, extremes, join, pack, thin, unpack
from models.records.tables import Chunk, Job, Series

SEALED = 512
"""The number of points at which a chunk is closed and the next one starts."""
COMPACT = 4096
"""Points of a chunk made of closed ones: fewer rows to read a long series from."""


def series_name(name: str, member: int | None) -> str:
    """What a job calls a series of one of its members: `folds/2/train/loss`. None: of the job as a whole."""
    return name if member is None else f"folds/{member}/{name}"


def append(tx: Session, job_id: str, batch: dict[str, Points]) -> None:
    """Add points, each series ascending. The caller holds the job's row (see jobs.beat).

    Steps that are there already are passed over: a commit whose answer was lost is tried again.
    """
    later = {name: _later(tx, job_id, name, points) for name, points in batch.items()}
    for name, points in _numbered(tx, job_id, {name: points for name, points in later.items() if len(points)}):
        _grow(tx, job_id, name, points)
        _summarize(tx, job_id, name, points)


def _numbered(tx: Session, job_id: str, batch: dict[str, Points]) -> Iterator[tuple[str, Points]]:
    """The same points with the job's next sequence numbers: by step, and within a step in the order of the batch."""
    if not batch:
        return
    steps = np.concatenate([points.steps for points in batch.values()])
    grown = update(Job).where(Job.id == job_id).values(last_sequence=Job.last_sequence + len(steps))
    last = tx.scalars(grown.returning(Job.last_sequence)).one()
    sequences = np.empty(len(steps), np.int64)
    sequences[np.argsort(steps, kind="stable")] = np.arange(last - len(steps) + 1, last + 1)
    ends = np.cumsum([len(points) for points in batch.values()])
    for (name, points), own in zip(batch.items(), np.split(sequences, ends[:-1]), strict=True):
        yield name, replace(points, sequences=own)


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
            first_sequence=int(points.sequences[0]),
            last_sequence=int(points.sequences[-1]),
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
        "last_sequence": int(points.sequences[-1]),
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
    """Delete every point after `step`: the attempt that resumes there will report them again.

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
    """The chunks that a summary needs: those with the lowest and the highest value, and the last one."""
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
    """The chunks that can be unpacked; damaged ones are skipped."""
    for packed in chunks:
        with suppress(Unreadable):
            yield unpack(packed)


def read(
    tx: Session, job_id: str, names: list[str] | None, after: int | None, most: int | None, upto: int | None = None
) -> Metrics:
    """Points of the named series (None: of all that have any) with sequence numbers above `after`.

    With `upto`, none above that number either, and `next` says where to go on. Each series is thinned to `most` points.
    """
    since = after or 0
    grown = select(Series.name).where(Series.job_id == job_id, Series.last_sequence > since).order_by(Series.name)
    answer = {}
    for name in names if names is not None else tx.scalars(grown).all():
        points = _read(tx, job_id, name, since, upto)
        if names is None and not len(points):
            continue
        points = thin(points, most) if most else points
        answer[name] = SeriesAnswer(
            steps=points.steps.tolist(), values=points.values.tolist(), times=points.times.tolist()
        )
    last = tx.scalar(select(Job.last_sequence).where(Job.id == job_id)) or 0
    last = last if upto is None else min(last, upto)
    return Metrics(series=answer, next=max(since, last))


def newest(tx: Session, job_id: str, names: list[str] | None) -> int:
    """The sequence number of the newest point that any of the series (None: all) has; 0 where there is none."""
    query = select(Series.last_sequence).where(Series.job_id == job_id)
    if names is not None:
        query = query.where(Series.name.in_(names))
    return max(tx.scalars(query), default=0)


def _read(tx: Session, job_id: str, name: str, after: int, upto: int | None) -> Points:
    query = (
        select(Chunk.packed)
        .where(Chunk.job_id == job_id, Chunk.series == name, Chunk.last_sequence > after)
        .order_by(Chunk.first_step)
    )
    if upto is not None:
        query = query.where(Chunk.first_sequence <= upto)
    points = join(list(_readable(tx.scalars(query))))
    points = points[points.sequences > after]
    return points if upto is None else points[points.sequences <= upto]
