"""Version 0.2: resolved specs, members of a job, numbered points, and the processes of an attempt."""

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
"""Returns the changed columns of a job. Arguments: its spec and its plan."""

MEASURES = {
    "classification": {"loss": "min", "accuracy": "max"},
    "regression": {"loss": "min", "rmse": "min", "mae": "min", "r2": "max"},
    "tagging": {"loss": "min", "accuracy": "max", "f1": "max"},
    "language_modeling": {"loss": "min", "accuracy": "max", "perplexity": "min"},
}
"""The metrics of each task in version 0.1, and their directions."""

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
    _change_jobs(_add_directions)
    name_processes_of_attempts()
    op.add_column("jobs", sa.Column("desired_by", sa.String(200), nullable=True))
    op.create_index("ix_jobs_state", "jobs", ["state", "id"])


def downgrade() -> None:
    fill_in_specs()
    op.drop_column("jobs", "resolved")
    op.drop_index("ix_jobs_state", "jobs")
    op.drop_column("jobs", "desired_by")
    name_one_process_of_attempts()
    _change_jobs(_remove_directions)
    fold_members()
    forget_numbers()


def fill_in_specs() -> None:
    """Replace each spec by its resolved spec: version 0.1 needs a spec with all defaults."""
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


def _add_directions(spec: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """Add the number of trainings and the directions of the metrics to the plan, and modes to the spec."""
    directions = MEASURES[plan["task"]]
    split = spec["dataset"].get("split", {})
    trainings = int(split["n"]) if split.get("kind") == "folds" else 1
    return {
        "spec": _with_modes(spec, directions),
        "plan": {**plan, "trainings": trainings, "directions": directions},
    }


def _remove_directions(spec: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    policy = {name: value for name, value in spec["checkpoints"].items() if name != "mode"}
    kept = {name: value for name, value in plan.items() if name not in ("trainings", "directions")}
    return {"spec": {**spec, "checkpoints": policy}, "plan": kept}


def _with_modes(spec: dict[str, Any], directions: dict[str, str]) -> dict[str, Any]:
    """The spec with the modes of the series that choose checkpoints and stop a training."""
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
    # A service may have many jobs, so only some are read at a time.
    newest = ""
    while rows := bind.execute(sa.select(JOBS).where(JOBS.c.id > newest).order_by(JOBS.c.id).limit(1000)).all():
        for row in rows:
            bind.execute(sa.update(JOBS).where(JOBS.c.id == row.id).values(**change(row.spec, row.plan)))
        newest = rows[-1].id


def name_processes_of_attempts() -> None:
    """Replace `pid` and `pid_started` by a list with one process."""
    op.add_column("attempts", sa.Column("processes", sa.JSON(none_as_null=True), nullable=True))
    named = sa.select(*(ATTEMPTS.c[name] for name in ("job_id", "attempt", "pid", "pid_started"))).where(
        ATTEMPTS.c.pid.is_not(None)
    )
    # PostgreSQL may have stored NaN, which JSON does not allow. NaN is not equal to itself.
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
    """Keep only the first process of each list: version 0.1 knows one process."""
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
    """Set `columns` of the attempts with the keys `of_job` and `of_attempt`."""
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
    """Number the points of each job in the order of its chunks, so that numbers ascend with the steps of a series.

    An unreadable chunk keeps its bytes, and uses as many numbers as it has points.
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
    """Yield the chunks by job, first step and series. They are read one by one: all may not fit into memory."""
    keys = op.get_bind().execute(sa.select(*CHUNK_KEY).order_by(*CHUNK_KEY)).all()
    for key in keys:
        found = sa.select(*CHUNK_KEY, CHUNKS.c.n, CHUNKS.c.packed).where(*_is_chunk(key))
        yield op.get_bind().execute(found).one()


def _rewrite_chunk(row: Any, values: dict[str, Any]) -> None:
    op.get_bind().execute(sa.update(CHUNKS).where(*_is_chunk(row)).values(**values))


def _is_chunk(row: Any) -> list[sa.ColumnElement[bool]]:
    return [column == value for column, value in zip(CHUNK_KEY, row[:3], strict=True)]


def _unpack(packed: bytes, ahead: int, wide: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Returns `ahead` numbers, and a matrix of `wide` rows with n numbers, whose bytes are shuffled by significance.

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
    """Rename `fold` of checkpoints to `member`. It is 0 for a job with a single training."""
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
ENDED = "version 0.2 cannot continue a job of version 0.1: submit its spec again; its checkpoints can be downloaded"
STATES = sa.table(
    "jobs",
    *map(sa.column, ("id", "state", "attempt", "lease_owner", "lease_expires_at", "eta_seconds", "version")),
    sa.column("finished_at", sa.Double),
    sa.column("error", sa.JSON),
)
ENDS = sa.table("attempts", *map(sa.column, ("job_id", "attempt", "ended_at", "outcome")))
EVENTS = sa.table("events", *map(sa.column, ("job_id", "attempt", "at", "kind")), sa.column("data", sa.JSON))


def end_unfinished_jobs() -> None:
    """Fail the unfinished jobs of version 0.1 with a message. `resolved` is NULL for every job of version 0.1."""
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
