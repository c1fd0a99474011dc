"""Version 0.2: a point has a sequence number, and a checkpoint names the member of its job."""

import zlib
from collections import defaultdict
from collections.abc import Iterator
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


def upgrade() -> None:
    number_points()
    name_members()


def downgrade() -> None:
    fold_members()
    forget_numbers()


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
KEY = (CHUNKS.c.job_id, CHUNKS.c.first_step, CHUNKS.c.series)


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
        _rewrite(row, values)
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
            _rewrite(row, {"packed": _pack(base[:2], columns[:3])})
    for table, name in reversed(SEQUENCES):
        op.drop_column(table, name)


def _chunks() -> Iterator[Any]:
    """By job, first step and series; one at a time, for all together may be more than memory holds."""
    keys = op.get_bind().execute(sa.select(*KEY).order_by(*KEY)).all()
    for key in keys:
        found = sa.select(*KEY, CHUNKS.c.n, CHUNKS.c.packed).where(*_is(key))
        yield op.get_bind().execute(found).one()


def _rewrite(row: Any, values: dict[str, Any]) -> None:
    op.get_bind().execute(sa.update(CHUNKS).where(*_is(row)).values(**values))


def _is(row: Any) -> list[sa.ColumnElement[bool]]:
    return [column == value for column, value in zip(KEY, row[:3], strict=True)]


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
