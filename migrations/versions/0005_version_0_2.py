"""Version 0.2: what its rows say that those of 0.1 did not."""

import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

JOBS = sa.table("jobs", sa.column("id", sa.String), sa.column("spec", sa.JSON), sa.column("plan", sa.JSON))
Change = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
"""From a job's spec and plan to the columns that change."""

MEASURES = {
    "classification": {"loss": "min", "accuracy": "max"},
    "regression": {"loss": "min", "rmse": "min", "mae": "min", "r2": "max"},
    "tagging": {"loss": "min", "accuracy": "max", "f1": "max"},
    "language_modeling": {"loss": "min", "accuracy": "max", "perplexity": "min"},
}
"""What 0.1 evaluated each task by, and which way each improves."""

BATCH = 1000

ATTEMPTS = sa.table(
    "attempts",
    sa.column("job_id", sa.String),
    sa.column("attempt", sa.Integer),
    sa.column("pid", sa.Integer),
    sa.column("pid_started", sa.Double),
    sa.column("processes", sa.JSON(none_as_null=True)),
)


def upgrade() -> None:
    end_unfinished_jobs()
    number_points()
    name_members()
    _change_jobs(_say_more)
    name_processes_of_attempts()
    op.add_column("jobs", sa.Column("desired_by", sa.String(200), nullable=True))
    op.create_index("ix_jobs_state", "jobs", ["state", "id"])


def downgrade() -> None:
    fill_in_specs()
    op.drop_column("jobs", "resolved")
    op.drop_index("ix_jobs_state", "jobs")
    op.drop_column("jobs", "desired_by")
    name_one_process_of_attempts()
    _change_jobs(_say_less)
    fold_members()
    forget_numbers()


def fill_in_specs() -> None:
    """What 0.1 reads has every default in it: the spec that was resolved takes the place of the one that was sent."""
    resolved = sa.table("jobs", sa.column("id", sa.String), sa.column("spec", sa.JSON), sa.column("resolved", sa.JSON))
    bind, newest = op.get_bind(), ""
    while rows := bind.execute(
        sa.select(resolved.c.id, resolved.c.resolved)
        .where(resolved.c.id > newest, resolved.c.resolved.is_not(None))
        .order_by(resolved.c.id)
        .limit(BATCH)
    ).all():
        for row in rows:
            bind.execute(sa.update(resolved).where(resolved.c.id == row.id).values(spec=row.resolved["spec"]))
        newest = rows[-1].id


def _say_more(spec: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """A plan says how many trainings the job makes and which way each measure improves; a spec says the latter too."""
    directions = MEASURES[plan["task"]]
    split = spec["dataset"].get("split", {})
    trainings = int(split["n"]) if split.get("kind") == "folds" else 1
    return {
        "spec": _with_modes(spec, directions),
        "plan": {**plan, "trainings": trainings, "directions": directions},
    }


def _say_less(spec: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    policy = {name: value for name, value in spec["checkpoints"].items() if name != "mode"}
    kept = {name: value for name, value in plan.items() if name not in ("trainings", "directions")}
    return {"spec": {**spec, "checkpoints": policy}, "plan": kept}


def _with_modes(spec: dict[str, Any], directions: dict[str, str]) -> dict[str, Any]:
    """A spec that says which way the series improve that choose checkpoints and stop a training."""
    policy, how = dict(spec["checkpoints"]), dict(spec["hyperparameters"])
    policy["mode"] = _mode(policy["series"], directions)
    if how.get("early_stopping"):
        stopping = how["early_stopping"]
        how["early_stopping"] = {**stopping, "mode": stopping["mode"] or _mode(stopping["series"], directions)}
    return {**spec, "checkpoints": policy, "hyperparameters": how}


def _mode(series: str, directions: dict[str, str]) -> str:
    return directions.get(series.rpartition("/")[2], "min")


def _change_jobs(change: Change) -> None:
    bind = op.get_bind()
    # A few at a time: a service may have had many jobs.
    newest = ""
    while rows := bind.execute(sa.select(JOBS).where(JOBS.c.id > newest).order_by(JOBS.c.id).limit(1000)).all():
        for row in rows:
            bind.execute(sa.update(JOBS).where(JOBS.c.id == row.id).values(**change(row.spec, row.plan)))
        newest = rows[-1].id


def name_processes_of_attempts() -> None:
    """`pid` and `pid_started` become a list with one process."""
    op.add_column("attempts", sa.Column("processes", sa.JSON(none_as_null=True), nullable=True))
    named = sa.select(*(ATTEMPTS.c[name] for name in ("job_id", "attempt", "pid", "pid_started"))).where(
        ATTEMPTS.c.pid.is_not(None)
    )
    # A PostgreSQL of 0.1 may hold a NaN, which JSON has no word for. NaN is no number that is equal to itself.
    _rewrite(
        [
            {
                "processes": [
                    {"pid": row.pid, "started": row.pid_started if row.pid_started == row.pid_started else None}
                ]
            }
            | {"of_job": row.job_id, "of_attempt": row.attempt}
            for row in op.get_bind().execute(named)
        ],
        "processes",
    )
    op.drop_column("attempts", "pid_started")
    op.drop_column("attempts", "pid")


def name_one_process_of_attempts() -> None:
    """The first process of each list; version 0.1 knows no others."""
    op.add_column("attempts", sa.Column("pid", sa.Integer(), nullable=True))
    op.add_column("attempts", sa.Column("pid_started", sa.Double(), nullable=True))
    named = sa.select(*(ATTEMPTS.c[name] for name in ("job_id", "attempt", "processes"))).where(
        ATTEMPTS.c.processes.is_not(None)
    )
    _rewrite(
        [
            {"pid": row.processes[0]["pid"], "pid_started": row.processes[0]["started"]}
            | {"of_job": row.job_id, "of_attempt": row.attempt}
            for row in op.get_bind().execute(named)
            if row.processes
        ],
        "pid",
        "pid_started",
    )
    op.drop_column("attempts", "processes")


def _rewrite(rows: list[dict[str, Any]], *columns: str) -> None:
    """Set `columns` of the attempts that `of_job` and `of_attempt` name."""
    here = (ATTEMPTS.c.job_id == sa.bindparam("of_job"), ATTEMPTS.c.attempt == sa.bindparam("of_attempt"))
    written = sa.update(ATTEMPTS).where(*here).values({name: sa.bindparam(name) for name in columns})
    for start in range(0, len(rows), BATCH):
        op.get_bind().execute(written, rows[start : start + BATCH])


SEQUENCES = [
    ("jobs", "last_sequence"),
    ("series", "last_sequence"),
    ("chunks", "first_sequence"),
    ("chunks", "last_sequence"),
]
CHUNKS = sa.table(
    "chunks",
    *map(sa.column, ("job_id", "series", "first_step", "n", "first_sequence", "last_sequence", "packed")),
)
CHUNK_KEY = (CHUNKS.c.job_id, CHUNKS.c.first_step, CHUNKS.c.series)


def number_points() -> None:
    """Number the points of each job in the order of its chunks, so that numbers rise with the steps of a series.

    A chunk that cannot be read keeps its bytes, and takes as many numbers as it has points.
    """
    for table, name in SEQUENCES:
        op.add_column(table, sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    last: dict[str, int] = defaultdict(int)
    for row in _chunks():
        first = last[row.job_id] + 1
        last[row.job_id] += row.n
        values: dict[str, Any] = {"first_sequence": first, "last_sequence": last[row.job_id]}
        with suppress(zlib.error, ValueError):
            base, columns = _unpack(row.packed, 2, 3)
            rising = np.ones((1, columns.shape[1]), np.int64)
            rising[0, 0] = 0
            values["packed"] = _pack(np.append(base, first), np.concatenate([columns, rising]))
        _rewrite_chunk(row, values)
    op.execute(
        "UPDATE jobs SET last_sequence = COALESCE("
        "(SELECT max(chunks.last_sequence) FROM chunks WHERE chunks.job_id = jobs.id), 0)"
    )
    op.execute(
        "UPDATE series SET last_sequence = COALESCE((SELECT max(chunks.last_sequence) FROM chunks "
        "WHERE chunks.job_id = series.job_id AND chunks.series = series.name), 0)"
    )


def forget_numbers() -> None:
    for row in _chunks():
        with suppress(zlib.error, ValueError):
            base, columns = _unpack(row.packed, 3, 4)
            _rewrite_chunk(row, {"packed": _pack(base[:2], columns[:3])})
    for table, name in reversed(SEQUENCES):
        op.drop_column(table, name)


def _chunks() -> Iterator[Any]:
    """By job, first step and series; one at a time, for all together may be more than memory holds."""
    keys = op.get_bind().execute(sa.select(*CHUNK_KEY).order_by(*CHUNK_KEY)).all()
    for key in keys:
        found = sa.select(*CHUNK_KEY, CHUNKS.c.n, CHUNKS.c.packed).where(*_is_chunk(key))
        yield op.get_bind().execute(found).one()


def _rewrite_chunk(row: Any, values: dict[str, Any]) -> None:
    op.get_bind().execute(sa.update(CHUNKS).where(*_is_chunk(row)).values(**values))


def _is_chunk(row: Any) -> list[sa.ColumnElement[bool]]:
    return [column == value for column, value in zip(CHUNK_KEY, row[:3], strict=True)]


def _unpack(packed: bytes, ahead: int, wide: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """`ahead` numbers, and `wide` rows of n numbers, whose bytes of equal weight lie side by side.

    Raises zlib.error or ValueError.
    """
    raw = zlib.decompress(packed)
    shuffled = np.frombuffer(raw, np.uint8, offset=8 * ahead)
    rows = np.ascontiguousarray(shuffled.reshape(wide, 8, -1).transpose(0, 2, 1)).view(np.int64)[:, :, 0]
    return np.frombuffer(raw[: 8 * ahead], "<i8"), rows


def _pack(base: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> bytes:
    body = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), -1, 8).transpose(0, 2, 1)
    return zlib.compress(base.astype("<i8").tobytes() + body.tobytes(), 1)


def name_members() -> None:
    """What a checkpoint calls `fold` becomes `member`: 0 of a job that has none."""
    with op.batch_alter_table("checkpoints") as table:
        table.drop_constraint("uq_checkpoints_job_id", type_="unique")
        table.alter_column("fold", new_column_name="member", existing_type=sa.Integer())
    op.execute("UPDATE checkpoints SET member = 0 WHERE member IS NULL")
    with op.batch_alter_table("checkpoints") as table:
        table.alter_column("member", existing_type=sa.Integer(), nullable=False)
        table.create_unique_constraint("uq_checkpoints_job_id", ["job_id", "member", "step"])


def fold_members() -> None:
    with op.batch_alter_table("checkpoints") as table:
        table.drop_constraint("uq_checkpoints_job_id", type_="unique")
        table.alter_column("member", new_column_name="fold", existing_type=sa.Integer(), nullable=True)
        table.create_unique_constraint("uq_checkpoints_job_id", ["job_id", "step"])
    op.execute("UPDATE checkpoints SET fold = NULL WHERE fold = 0")


UNFINISHED = ("queued", "starting", "running", "paused")
ENDED = "version 0.2 cannot go on with a job that 0.1 began: submit its spec again; its checkpoints can be downloaded"
STATES = sa.table(
    "jobs",
    *map(sa.column, ("id", "state", "attempt", "lease_owner", "lease_expires_at", "eta_seconds", "version")),
    sa.column("finished_at", sa.Double),
    sa.column("error", sa.JSON),
)
ENDS = sa.table("attempts", *map(sa.column, ("job_id", "attempt", "ended_at", "outcome")))
EVENTS = sa.table("events", *map(sa.column, ("job_id", "attempt", "at", "kind")), sa.column("data", sa.JSON))


def end_unfinished_jobs() -> None:
    """What 0.1 had not finished fails with a sentence. A job that is not `resolved` is one of 0.1."""
    op.add_column("jobs", sa.Column("resolved", sa.JSON(none_as_null=True), nullable=True))
    bind, at = op.get_bind(), time.time()
    of_old = sa.select(STATES.c.id, STATES.c.state, STATES.c.attempt).where(STATES.c.state.in_(UNFINISHED))
    for job in bind.execute(of_old).all():
        ended = {
            "state": "failed",
            "lease_owner": None,
            "lease_expires_at": None,
            "eta_seconds": None,
            "finished_at": at,
            "error": {"code": "old_version", "message": ENDED, "retryable": False},
            "version": STATES.c.version + 1,
        }
        bind.execute(sa.update(STATES).where(STATES.c.id == job.id).values(**ended))
        bind.execute(
            sa.update(ENDS)
            .where(ENDS.c.job_id == job.id, ENDS.c.ended_at.is_(None))
            .values(ended_at=at, outcome="ended by the upgrade to version 0.2")
        )
        moved = {"from": job.state, "to": "failed", "reason": ENDED, "actor": "sweep"}
        bind.execute(sa.insert(EVENTS).values(job_id=job.id, attempt=job.attempt, at=at, kind="state", data=moved))
