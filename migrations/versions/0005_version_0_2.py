"""Version 0.2: an attempt knows several processes."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

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
    name_processes_of_attempts()


def downgrade() -> None:
    name_one_process_of_attempts()


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
