"""Metric series: append points, remove points that a resume will compute again, read points.

`append` gives each point of a job a sequence number: 1, 2, 3, and so on. It does so under the lock on the job's row, so
numbers are committed in ascending order, and none is used twice. A reader that has all points up to number S asks for
the points above S and misses none. Within a batch, points are numbered in the order of their steps. Within a series,
steps and sequence numbers both ascend: `append` skips a point that is not after the last step of its series.

`truncate` removes the points after the checkpoint from which a job resumes. Their numbers are not used again: the job
computes these steps again, and the new points get new numbers. A reader then sees that a series continues at a step
that the reader already has. It must drop its own points from that step on (see `Series.followed_by` of the contract).
"""

from collections.abc import Iterable, Iterator, Sequence
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
"""The number of points in a full chunk."""
COMPACT = 4096
"""Points of a chunk that is merged from full chunks, so that a long series has fewer rows."""
MOST_CHUNKS = 64
"""Chunks of an overview."""
MOST_NAMED = 1000
"""Names of series in one query."""


def series_name(name: str, member: int | None) -> str:
    """The name of a member's series within its job, such as `folds/2/train/loss`. `member` None: the whole job."""
    return name if member is None else f"folds/{member}/{name}"


def append(tx: Session, job_id: str, batch: dict[str, Points]) -> None:
    """Add points. The steps of each series ascend. The caller holds the lock on the job's row (see jobs.beat).

    Steps that are already stored are skipped, because a caller repeats a commit whose answer was lost.
    """
    later = {name: _later(tx, job_id, name, points) for name, points in batch.items()}
    for name, points in _numbered(tx, job_id, {name: points for name, points in later.items() if len(points)}):
        _grow(tx, job_id, name, points)
        _summarize(tx, job_id, name, points)


def _numbered(tx: Session, job_id: str, batch: dict[str, Points]) -> Iterator[tuple[str, Points]]:
    """The points with the job's next sequence numbers, in the order of steps, then in the order of the batch."""
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
        # An unreadable chunk stays as it is. It must not stop the job.
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
        # SQLite stores NaN as NULL. PostgreSQL does not, so NaN is replaced for both.
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
    """Delete every point after `step`. The attempt that resumes at `step` reports these points again.

    Unreadable chunks after `step` are deleted too: a damaged row must not prevent the claim of its job.
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
        for points in _chunks_for_summary(tx, job_id, name):
            _summarize(tx, job_id, name, points)


def _chunks_for_summary(tx: Session, job_id: str, name: str) -> Iterator[Points]:
    """The chunks with the lowest and the highest value, and the last one."""
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
    """Unpack chunks. Unreadable ones are skipped."""
    for packed in chunks:
        with suppress(Unreadable):
            yield unpack(packed)


def read(
    tx: Session, job_id: str, names: list[str] | None, after: int | None, most: int | None, upto: int | None = None
) -> Metrics:
    """Points of the named series with sequence numbers above `after`. `names` None: all series that have such points.

    `upto` is the highest number to read, and `next` in the answer is where to continue. Each series is thinned to
    `most` points.
    """
    since = after or 0
    grown = select(Series.name).where(Series.job_id == job_id, Series.last_sequence > since).order_by(Series.name)
    wanted = names if names is not None else tx.scalars(grown).all()
    found = _read(tx, job_id, wanted, since, upto)
    answer = {}
    for name in wanted:
        points = found[name]
        if names is None and not len(points):
            continue
        points = thin(points, most) if most else points
        answer[name] = SeriesAnswer(
            steps=points.steps.tolist(), values=points.values.tolist(), times=points.times.tolist()
        )
    last = tx.scalar(select(Job.last_sequence).where(Job.id == job_id)) or 0
    last = last if upto is None else min(last, upto)
    return Metrics(series=answer, next=max(since, last))


def recorded(tx: Session, job_id: str) -> list[str]:
    """The names of the series that have points; those of single folds last."""
    found = tx.scalars(select(Series.name).where(Series.job_id == job_id)).all()
    return sorted(found, key=lambda name: (name.startswith("folds/"), name))


def overview(tx: Session, job_id: str, name: str) -> Points:
    """Points of a series, with its first, its last and its lowest one, in bounded memory: all, if they are few."""
    here = (Chunk.job_id == job_id, Chunk.series == name)
    rows = tx.execute(select(Chunk.first_step, Chunk.vmin).where(*here).order_by(Chunk.first_step)).all()
    if not rows:
        return join([])
    chosen = {int(at) for at in np.linspace(0, len(rows) - 1, min(len(rows), MOST_CHUNKS))}
    if finite := [at for at, row in enumerate(rows) if row.vmin is not None]:
        chosen.add(min(finite, key=lambda at: rows[at].vmin))
    steps = [rows[at].first_step for at in chosen]
    query = select(Chunk.packed).where(*here, Chunk.first_step.in_(steps)).order_by(Chunk.first_step)
    return join(list(_readable(tx.scalars(query))))


def newest(tx: Session, job_id: str, names: list[str] | None) -> int:
    """The highest sequence number in the named series (None: all series); 0 if there are no points."""
    query = select(Series.last_sequence).where(Series.job_id == job_id)
    if names is not None:
        query = query.where(Series.name.in_(names))
    return max(tx.scalars(query), default=0)


def _read(tx: Session, job_id: str, names: Sequence[str], after: int, upto: int | None) -> dict[str, Points]:
    """The points of each series. In a single query, because many polls ask every second."""
    query = (
        select(Chunk.series, Chunk.packed)
        .where(Chunk.job_id == job_id, Chunk.last_sequence > after)
        .order_by(Chunk.series, Chunk.first_step)
    )
    if len(names) <= MOST_NAMED:
        query = query.where(Chunk.series.in_(names))
    if upto is not None:
        query = query.where(Chunk.first_sequence <= upto)
    chunks: dict[str, list[bytes]] = {name: [] for name in names}
    for row in tx.execute(query):
        if row.series in chunks:
            chunks[row.series].append(row.packed)
    found = {}
    for name, packed in chunks.items():
        points = join(list(_readable(packed)))
        points = points[points.sequences > after]
        found[name] = points if upto is None else points[points.sequences <= upto]
    return found
