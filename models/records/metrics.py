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
from functools import cache
from itertools import groupby
from typing import Any

import numpy as np
from sqlalchemy import Row, Select, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session, aliased

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

Known = Row[*tuple[Any, ...]]
"""What is stored of a series (see _summaries)."""


def series_name(name: str, member: int | None) -> str:
    """The name of a member's series within its job, such as `folds/2/train/loss`. `member` None: the whole job."""
    return name if member is None else f"folds/{member}/{name}"


def append(tx: Session, job_id: str, batch: dict[str, Points]) -> None:
    """Add points. The steps of each series ascend. The caller holds the lock on the job's row (see jobs.beat).

    Steps that are already stored are skipped, because a caller repeats a commit whose answer was lost. The number of
    statements does not depend on the number of series: every step of a training reports all of its series, and a
    statement takes longer than the few points that it writes.
    """
    known = _known(tx, job_id, list(batch))
    later = {
        name: points[points.steps > known[name].last_step] if name in known else points
        for name, points in batch.items()
    }
    new = dict(_numbered(tx, job_id, {name: points for name, points in later.items() if len(points)}))
    _grow(tx, job_id, new, known)
    _summarize(tx, job_id, new, known)


def _known(tx: Session, job_id: str, names: list[str]) -> dict[str, Known]:
    """What is stored of those of the series that have points."""
    return {
        row.name: row
        for start in range(0, len(names), MOST_NAMED)
        for row in tx.execute(_summaries(), {"of_job": job_id, "names": names[start : start + MOST_NAMED]})
    }


@cache
def _summaries() -> Select[*tuple[Any, ...]]:
    """The summaries of series; with `packed`, the last chunk, unless it is full. Built once: that takes a millisecond.

    A series without a summary has no readable last chunk (see truncate).
    """
    each = aliased(Chunk)
    last = select(func.max(each.first_step)).where(each.job_id == Series.job_id, each.series == Series.name)
    tail = and_(
        Chunk.job_id == Series.job_id,
        Chunk.series == Series.name,
        Chunk.first_step == last.correlate(Series).scalar_subquery(),
        Chunk.n < SEALED,
    )
    columns = (Series.last_step, Series.min_step, Series.min_value, Series.max_step, Series.max_value)
    named = (Series.job_id == bindparam("of_job"), Series.name.in_(bindparam("names", expanding=True)))
    return select(Series.name, *columns, Chunk.packed).outerjoin_from(Series, Chunk, tail).where(*named)


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


def _grow(tx: Session, job_id: str, batch: dict[str, Points], known: dict[str, Known]) -> None:
    grown, new, sealed = [], [], []
    for name, points in batch.items():
        whole, is_joined = points, False
        if name in known and known[name].packed is not None:
            # An unreadable chunk stays as it is. It must not stop the job.
            with suppress(Unreadable):
                whole, is_joined = join([unpack(known[name].packed), points]), True
        rows = [_chunk(job_id, name, whole[start : start + SEALED]) for start in range(0, len(whole), SEALED)]
        if is_joined:
            grown.append(rows.pop(0))
        new += rows
        if len(whole) >= SEALED:
            sealed.append(name)
    if grown:
        tx.execute(update(Chunk), grown)
    _insert(tx, Chunk, new)
    for start in range(0, len(sealed), MOST_NAMED):
        _compact(tx, job_id, sealed[start : start + MOST_NAMED])


@cache
def _first_full() -> Select[*tuple[Any, ...]]:
    """The first full chunks of series, as many as are merged. Built once: that takes a millisecond."""
    place = func.row_number().over(partition_by=Chunk.series, order_by=Chunk.first_step).label("place")
    named = (Chunk.job_id == bindparam("of_job"), Chunk.series.in_(bindparam("names", expanding=True)))
    full = select(Chunk.series, Chunk.first_step, place).where(*named, Chunk.n == SEALED).subquery()
    return (
        select(Chunk.series, Chunk.first_step, Chunk.packed)
        .join(full, and_(Chunk.series == full.c.series, Chunk.first_step == full.c.first_step))
        .where(Chunk.job_id == bindparam("of_job"), full.c.place <= COMPACT // SEALED)
        .order_by(Chunk.series, Chunk.first_step)
    )


def _compact(tx: Session, job_id: str, names: list[str]) -> None:
    """Merge the first full chunks of each of these series, where they are enough for a chunk of COMPACT points."""
    found = tx.execute(_first_full(), {"of_job": job_id, "names": names})
    merged, parts = [], []
    for name, group in groupby(found, key=lambda row: str(row.series)):
        rows = list(group)
        if len(rows) == COMPACT // SEALED:
            with suppress(Unreadable):
                merged.append(_chunk(job_id, name, join([unpack(row.packed) for row in rows])))
                parts += [{"of": name, "at": row.first_step} for row in rows]
    if merged:
        part = (Chunk.job_id == job_id, Chunk.series == bindparam("of"), Chunk.first_step == bindparam("at"))
        # On the connection, because a session deletes with one set of parameters only.
        tx.connection().execute(delete(Chunk).where(*part), parts)
        _insert(tx, Chunk, merged)


def _chunk(job_id: str, name: str, points: Points) -> dict[str, Any]:
    ends = extremes(points)
    return {
        "job_id": job_id,
        "series": name,
        "first_step": int(points.steps[0]),
        "last_step": int(points.steps[-1]),
        "first_sequence": int(points.sequences[0]),
        "last_sequence": int(points.sequences[-1]),
        "n": len(points),
        "vmin": ends[0][1] if ends else None,
        "vmax": ends[1][1] if ends else None,
        "packed": pack(points),
    }


def _insert(tx: Session, table: type[Chunk | Series], rows: list[dict[str, Any]]) -> None:
    """Insert rows with one statement. Without `render_nulls`, rows that differ in what is NULL would need several."""
    if rows:
        tx.execute(insert(table), rows, execution_options={"render_nulls": True})


def _summarize(tx: Session, job_id: str, batch: dict[str, Points], known: dict[str, Known]) -> None:
    rows = {name: _summary(job_id, name, points, known.get(name)) for name, points in batch.items()}
    _insert(tx, Series, [row for name, row in rows.items() if name not in known])
    if changed := [row for name, row in rows.items() if name in known]:
        tx.execute(update(Series), changed)


def _summary(job_id: str, name: str, points: Points, known: Known | None) -> dict[str, Any]:
    """The row of a series, from the points that are new and from the row that it has."""
    (low_step, low), (high_step, high) = extremes(points) or ((None, None), (None, None))
    if known is not None and known.min_value is not None:
        if low is None or low >= known.min_value:
            low_step, low = known.min_step, known.min_value
        if high is None or high <= known.max_value:
            high_step, high = known.max_step, known.max_value
    return {
        "job_id": job_id,
        "name": name,
        "last_step": int(points.steps[-1]),
        "last_sequence": int(points.sequences[-1]),
        # SQLite stores NaN as NULL. PostgreSQL does not, so NaN is replaced for both.
        "last_value": None if np.isnan(points.values[-1]) else float(points.values[-1]),
        "min_step": low_step,
        "min_value": low,
        "max_step": high_step,
        "max_value": high,
    }


def truncate(tx: Session, job_id: str, step: int) -> None:
    """Delete every point after `step`. The attempt that resumes at `step` reports these points again.

    Unreadable chunks after `step` are deleted too: a damaged row must not prevent the claim of its job.
    """
    after = (Chunk.job_id == job_id, Chunk.last_step > step)
    beyond = tx.execute(select(Chunk.series, Chunk.packed).where(*after).order_by(Chunk.first_step)).all()
    tx.execute(delete(Chunk).where(*after))
    kept = []
    for row in beyond:
        with suppress(Unreadable):
            points = unpack(row.packed)
            points = points[points.steps <= step]
            if len(points):
                kept.append(_chunk(job_id, row.series, points))
    _insert(tx, Chunk, kept)
    for name in {row.series for row in beyond}:
        tx.execute(delete(Series).where(Series.job_id == job_id, Series.name == name))
        if chunks := list(_chunks_for_summary(tx, job_id, name)):
            _insert(tx, Series, [_summary(job_id, name, join(chunks), None)])


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
