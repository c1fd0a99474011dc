"""Series: appended in any pieces, cut anywhere, read as one."""

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select, update
from sqlalchemy.orm import Session

from athanor.contract import Metrics, State
from athanor.contract import Series as SeriesAnswer
from models.records import metrics
from models.records.chunks import Points, extremes, join
from models.records.database import Database
from models.records.tables import Chunk, Series
from tests.factories import NOW, a_job, some_points

LOSS = "train/loss"
VALUES = st.one_of(st.floats(-10, 10, width=16), st.sampled_from([math.nan, math.inf, -math.inf]))


def columns(points: Points | SeriesAnswer) -> tuple[list[int], bytes, bytes]:
    """Equal only where every bit is, NaN included."""
    return list(points.steps), np.array(points.values).tobytes(), np.array(points.times).tobytes()


def read(tx: Session, job_id: str, name: str = LOSS, after: int | None = None) -> SeriesAnswer:
    return metrics.read(tx, job_id, [name], after, None).series[name]


def check(tx: Session, job_id: str, expected: Points, name: str = LOSS) -> None:
    """The points are there, and what the series says of itself follows from them."""
    assert columns(read(tx, job_id, name)) == columns(expected)
    series = tx.scalar(select(Series).where(Series.job_id == job_id, Series.name == name))
    if not len(expected):
        assert series is None
        return
    assert series is not None
    last = float(expected.values[-1])
    assert (series.last_step, series.last_value) == (int(expected.steps[-1]), None if math.isnan(last) else last)
    chunk = (Chunk.job_id == job_id, Chunk.series == name)
    assert series.last_sequence == tx.scalar(select(func.max(Chunk.last_sequence)).where(*chunk))
    found = extremes(expected) or ((None, None), (None, None))
    assert ((series.min_step, series.min_value), (series.max_step, series.max_value)) == found


def noisy(start: int, stop: int) -> Points:
    draw = random.Random(start)
    return some_points(start=start, stop=stop, values=[draw.gauss(0, 1) for _ in range(start, stop)])


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Those that are sent in the block. One statement with many sets of parameters is one."""
    sent: list[str] = []

    def see(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", see)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", see)


def shape(tx: Session, job_id: str) -> list[int]:
    """Points of each chunk."""
    return list(tx.scalars(select(Chunk.n).where(Chunk.job_id == job_id).order_by(Chunk.first_step)))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_pieces_appended_and_cut_read_as_one(database: Database, data: st.DataObject) -> None:
    step, expected = 1, join([])
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
    for _ in range(data.draw(st.integers(1, 6))):
        values = data.draw(st.lists(VALUES, max_size=5)) * data.draw(st.sampled_from([1, 1, 40, 150]))
        piece = some_points(start=step, stop=step + len(values), values=values)
        with database.writing() as tx:
            metrics.append(tx, job_id, {LOSS: piece})
            step, expected = step + len(values), join([expected, piece])
            if data.draw(st.booleans()):
                cut = data.draw(st.integers(0, step))
                metrics.truncate(tx, job_id, cut)
                expected = expected[expected.steps <= cut]
                step = cut + 1
            check(tx, job_id, expected)


@pytest.mark.parametrize("piece", [1000, 513, 97])
def test_a_long_series_is_compacted(database: Database, piece: int) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        for start in range(1, 10_001, piece):
            metrics.append(tx, job_id, {LOSS: noisy(start, min(start + piece, 10_001))})
        sizes = shape(tx, job_id)
        assert sizes[0] == metrics.COMPACT
        assert sum(sizes) == 10_000
        assert len(sizes) <= 1 + 10_000 // metrics.COMPACT + metrics.COMPACT // metrics.SEALED
        assert read(tx, job_id).steps == list(range(1, 10_001))


@pytest.mark.parametrize("cut", [0, 1, 511, 512, 513, 2048, 4095, 4096, 4097, 4700, 5199, 5200, 9999])
def test_a_compacted_series_can_be_cut_anywhere_and_grow_again(database: Database, cut: int) -> None:
    whole = join([noisy(1, 2601), noisy(2601, 5201)])
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        for start in range(0, 5200, 650):
            metrics.append(tx, job_id, {LOSS: whole[start : start + 650]})
        metrics.truncate(tx, job_id, cut)
        check(tx, job_id, whole[:cut])
        kept = min(cut, 5200)
        again = [noisy(start, start + 600) for start in range(kept + 1, kept + 6000, 600)]
        for piece in again:
            metrics.append(tx, job_id, {LOSS: piece})
        check(tx, job_id, join([whole[:cut], *again]))
        for row in tx.scalars(select(Chunk).where(Chunk.job_id == job_id)):
            assert row.n <= metrics.COMPACT
        assert len(shape(tx, job_id)) <= 16


def test_series_are_cut_together_and_each_job_alone(database: Database) -> None:
    with database.writing() as tx:
        job_id, other = a_job(tx, state=State.RUNNING), a_job(tx, state=State.RUNNING)
        for each in (job_id, other):
            metrics.append(tx, each, {LOSS: noisy(1, 21), "val/loss": noisy(10, 11), "val/late": noisy(18, 19)})
        metrics.truncate(tx, job_id, 15)
        check(tx, job_id, noisy(1, 21)[:15])
        check(tx, job_id, noisy(10, 11), "val/loss")
        check(tx, job_id, join([]), "val/late")
        check(tx, other, noisy(1, 21))


@pytest.mark.parametrize(
    ("values", "summary"),
    [
        ([math.nan, math.nan], (None, None, None)),
        ([math.nan, 2.0, 1.0, math.nan], (None, 1.0, 2.0)),
        ([1.0, math.inf], (math.inf, 1.0, 1.0)),
        ([-math.inf, 3.0], (3.0, 3.0, 3.0)),
    ],
)
def test_what_is_not_finite_reads_the_same_from_both_databases(
    database: Database, values: list[float], summary: tuple[Any, ...]
) -> None:
    points = some_points(start=1, stop=1 + len(values), values=values)
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        for start in range(len(values)):
            metrics.append(tx, job_id, {LOSS: points[start : start + 1]})
        check(tx, job_id, points)
    with database.reading() as tx:
        assert tx.execute(select(Series.last_value, Series.min_value, Series.max_value)).one() == summary
        assert tx.scalar(select(func.count()).select_from(Chunk)) == 1


def test_reading_later_than_a_point(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        metrics.append(tx, job_id, {LOSS: noisy(1, 1301), "val/loss": noisy(600, 601)})
    with database.reading() as tx:
        # The 601st point is that of val/loss.
        for after in (0, 511, 512, 513, 600, 601, 1299):
            assert read(tx, job_id, after=after).steps == list(range(after + (after <= 600), 1301))
        late = metrics.read(tx, job_id, None, 1301, None)
        assert (late.series, late.next) == ({}, 1301), "nothing new is not a column of nothing"
        between = metrics.read(tx, job_id, None, 500, None, upto=550)
        assert {name: each.steps for name, each in between.series.items()} == {LOSS: list(range(501, 551))}
        assert between.next == 550
        assert metrics.read(tx, job_id, None, 1200, None, upto=5000).next == 1301
        assert metrics.read(tx, job_id, ["val/loss"], None, None).next == 1301
        assert metrics.read(tx, job_id, ["val/loss"], 1400, None).next == 1400
        assert metrics.read(tx, job_id, ["none"], None, None).series["none"].steps == []
        assert metrics.newest(tx, job_id, None) == 1301
        assert metrics.newest(tx, job_id, ["val/loss"]) == 601
        assert metrics.newest(tx, job_id, ["none"]) == 0


def test_what_comes_later_for_an_earlier_step_is_read(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        metrics.append(tx, job_id, {LOSS: noisy(1, 21)})
        seen = metrics.read(tx, job_id, None, None, None)
        metrics.append(tx, job_id, {"val/loss": noisy(10, 11)})
        metrics.append(tx, job_id, {"folds/2/train/loss": noisy(3, 6), LOSS: noisy(21, 22)})
        later = metrics.read(tx, job_id, None, seen.next, None)
        assert {name: each.steps for name, each in later.series.items()} == {
            "folds/2/train/loss": [3, 4, 5],
            LOSS: [21],
            "val/loss": [10],
        }
        assert (seen.next, later.next) == (20, 25)
        assert metrics.read(tx, job_id, None, later.next, None).series == {}


def test_what_a_resume_computes_again_is_read_again_and_takes_its_place(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        metrics.append(tx, job_id, {LOSS: noisy(1, 601), "val/loss": noisy(580, 581)})
        seen = metrics.read(tx, job_id, None, None, None)
        metrics.truncate(tx, job_id, 550)
        assert metrics.newest(tx, job_id, None) < seen.next
        assert metrics.read(tx, job_id, None, seen.next, None).series == {}
        metrics.append(tx, job_id, {LOSS: noisy(551, 571)})
        again = metrics.read(tx, job_id, None, seen.next, None)
        assert again.series[LOSS].steps == list(range(551, 571))
        assert again.next == seen.next + 20
        metrics.append(tx, job_id, {LOSS: noisy(571, 611), "val/loss": noisy(580, 581)})
        held = seen.followed_by(again).followed_by(metrics.read(tx, job_id, None, again.next, None))
        assert held == metrics.read(tx, job_id, None, None, None)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whoever_polls_holds_what_is_there(database: Database, data: st.DataObject) -> None:
    names = [LOSS, "val/loss", "lr"]
    step = dict.fromkeys(names, 0)
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
    held = Metrics(series={}, next=0)
    for _ in range(data.draw(st.integers(1, 8))):
        batch = {}
        for name in data.draw(st.lists(st.sampled_from(names), unique=True)):
            start = step[name] + data.draw(st.integers(1, 3))
            step[name] = start + data.draw(st.sampled_from([0, 1, 30, 600]))
            batch[name] = some_points(start=start, stop=step[name] + 1)
        with database.writing() as tx:
            metrics.append(tx, job_id, batch)
        if data.draw(st.booleans()):
            # In pages, as the live stream does.
            for _ in range(data.draw(st.integers(1, 4))):
                with database.reading() as tx:
                    held = held.followed_by(metrics.read(tx, job_id, None, held.next, None, upto=held.next + 400))
        if data.draw(st.booleans()):
            cut = data.draw(st.integers(0, max(step.values())))
            with database.writing() as tx:
                metrics.truncate(tx, job_id, cut)
                # What the attempt that resumes computes again, to where it was.
                again = {name: some_points(start=cut + 1, stop=last + 2) for name, last in step.items() if last > cut}
                metrics.append(tx, job_id, again)
            step |= {name: last + 1 for name, last in step.items() if last > cut}
    with database.reading() as tx:
        held = held.followed_by(metrics.read(tx, job_id, None, held.next, None))
        assert held == metrics.read(tx, job_id, None, None, None)


def test_reading_thinned(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        metrics.append(tx, job_id, {LOSS: noisy(1, 1301), "val/loss": noisy(600, 601)})
    with database.reading() as tx:
        answer = metrics.read(tx, job_id, None, None, 100)
    assert 50 < len(answer.series[LOSS].steps) <= 100
    assert answer.series["val/loss"].steps == [600]
    assert answer.next == 1301


@pytest.mark.parametrize("length", [11, 513, 700])
def test_what_is_sent_again_is_not_written_again(database: Database, length: int) -> None:
    whole = noisy(1, length)
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        metrics.append(tx, job_id, {LOSS: whole[:-1], "empty": join([])})
        for again in (whole[:-1], whole[:5], whole[3:-1]):
            metrics.append(tx, job_id, {LOSS: again})
            check(tx, job_id, whole[:-1])
        metrics.append(tx, job_id, {LOSS: whole})
        check(tx, job_id, whole)
        assert metrics.read(tx, job_id, None, None, None).series.keys() == {LOSS}


def test_an_append_of_many_series_sends_as_many_statements_as_one_of_few(database: Database) -> None:
    def counts(series: int) -> list[int]:
        """Of an append that is the first, one that fits into the last chunks, one that fills them, one that merges."""
        names, found = [f"folds/{number}/val/loss" for number in range(series)], []
        with database.writing() as tx:
            job_id = a_job(tx, state=State.RUNNING)
            whole = {name: noisy(1, 4500) for name in names}
            # Their summaries have NULLs where those of other series have none.
            whole |= {name: some_points(start=1, stop=4500, values=[math.nan] * 4499) for name in names[::2]}
            for start, stop in ((0, 10), (10, 20), (20, 520), (520, 4499)):
                with statements(database) as sent:
                    metrics.append(tx, job_id, {name: points[start:stop] for name, points in whole.items()})
                found.append(len(sent))
            with statements(database) as sent:
                late = {f"late/{name}": some_points(start=4500, stop=4502) for name in names}
                metrics.append(tx, job_id, {name: some_points(start=4500, stop=4502) for name in names} | late)
            found.append(len(sent))
            for name in names:
                assert read(tx, job_id, name).steps == list(range(1, 4502))
            assert set(shape(tx, job_id)) == {metrics.COMPACT, 4501 - metrics.COMPACT, 2}
        return found

    few, many = counts(2), counts(20)
    assert few == many
    assert max(few) <= 10


def test_a_batch_may_have_more_series_than_one_query_names(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_NAMED", 2)
    names = [f"folds/{number}/val/loss" for number in range(5)]
    whole = {name: noisy(start, 5000) for start, name in enumerate(names, 1)}
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        for start, stop in ((0, 20), (10, 600), (590, 4999)):
            metrics.append(tx, job_id, {name: points[start:stop] for name, points in whole.items()})
        for name, points in whole.items():
            check(tx, job_id, points, name)
        assert shape(tx, job_id).count(metrics.COMPACT) == len(names)


def test_times_are_kept(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        metrics.append(tx, job_id, {LOSS: some_points(start=1, stop=3)})
        assert read(tx, job_id).times == [NOW + 0.125, NOW + 0.25]


def test_a_damaged_chunk_does_not_keep_its_job_from_being_claimed(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx)
        metrics.append(tx, job_id, {name: some_points(start=1, stop=4) for name in (LOSS, "lr")})
        tx.execute(update(Chunk).where(Chunk.job_id == job_id, Chunk.series == LOSS).values(packed=b"damaged"))
        metrics.truncate(tx, job_id, 2)
        assert LOSS not in metrics.read(tx, job_id, None, None, None).series
        assert len(read(tx, job_id, "lr").steps) == 2


def test_nor_does_one_before_the_cut_keep_it_from_going_on(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx)
        for start in (1, 513, 1025):
            metrics.append(tx, job_id, {LOSS: some_points(start=start, stop=start + 512)})
        for first in (1, 1025):
            chunk = (Chunk.job_id == job_id, Chunk.first_step == first)
            tx.execute(update(Chunk).where(*chunk).values(packed=b"damaged"))
        metrics.truncate(tx, job_id, 1100)
        assert metrics.newest(tx, job_id, [LOSS]) == 1024
        metrics.append(tx, job_id, {LOSS: some_points(start=1101, stop=1103)})
        tx.execute(update(Chunk).where(Chunk.job_id == job_id, Chunk.first_step == 1101).values(packed=b"damaged"))
        metrics.append(tx, job_id, {LOSS: some_points(start=1103, stop=1104)})
        assert metrics.read(tx, job_id, [LOSS], 1538, None).series[LOSS].steps == [1103]
        assert read(tx, job_id).steps == [*range(513, 1025), 1103]


def test_a_summary_after_a_cut_is_that_of_what_is_left(database: Database) -> None:
    values = np.random.default_rng(5).normal(size=3000)
    values[700], values[701] = np.nan, np.inf
    with database.writing() as tx:
        job_id, whole = a_job(tx), a_job(tx)
        metrics.append(tx, job_id, {LOSS: some_points(start=1, stop=3001, values=values.tolist())})
        metrics.truncate(tx, job_id, 1777)
        metrics.append(tx, whole, {LOSS: some_points(start=1, stop=1778, values=values[:1777].tolist())})
        columns = [c for c in Series.__table__.columns if c.name not in ("job_id", "last_sequence")]
        cut, never = (tx.execute(select(*columns).where(Series.job_id == one)).all() for one in (job_id, whole))
        assert cut == never and cut[0].last_step == 1777


def test_an_overview_is_all_of_a_short_series_and_the_ends_of_a_long_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.writing() as tx:
        job_id = a_job(tx)
        assert len(metrics.overview(tx, job_id, "train/loss")) == 0
        values = [1.0] * 6000
        values[5000] = 0.5
        for start in range(0, 6000, 1000):
            part = Points.of(range(start + 1, start + 1001), values[start : start + 1000], [0.0] * 1000)
            metrics.append(tx, job_id, {"train/loss": part})
        assert metrics.overview(tx, job_id, "train/loss").values.tolist() == values
        monkeypatch.setattr(metrics, "MOST_CHUNKS", 2)
        few = metrics.overview(tx, job_id, "train/loss")
        assert {1, 5001, 6000} <= set(few.steps.tolist()) and len(few) < 6000


def test_recorded_names(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx)
        for name in ("val/loss", "folds/1/val/loss", "lr"):
            metrics.append(tx, job_id, {name: some_points(start=1, stop=3)})
        assert metrics.recorded(tx, job_id) == ["lr", "val/loss", "folds/1/val/loss"]
