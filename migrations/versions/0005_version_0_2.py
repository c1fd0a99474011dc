"""Version 0.2: what its rows say that those of 0.1 did not."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

JOBS = sa.table("jobs", sa.column("id", sa.String), sa.column("spec", sa.JSON), sa.column("plan", sa.JSON))


def upgrade() -> None:
    _count_trainings()


def downgrade() -> None:
    _forget_trainings()


def _count_trainings() -> None:
    """A plan says how many trainings the job makes: in 0.1 the spec alone did, by its folds."""
    _change_plans(lambda spec, plan: {**plan, "trainings": _trainings(spec)})


def _trainings(spec: dict[str, Any]) -> int:
    split = spec["dataset"].get("split", {})
    return int(split["n"]) if split.get("kind") == "folds" else 1


def _forget_trainings() -> None:
    _change_plans(lambda spec, plan: {name: value for name, value in plan.items() if name != "trainings"})


def _change_plans(changed: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]) -> None:
    bind = op.get_bind()
    # A few at a time: a service may have had many jobs.
    newest = ""
    while rows := bind.execute(sa.select(JOBS).where(JOBS.c.id > newest).order_by(JOBS.c.id).limit(1000)).all():
        for row in rows:
            bind.execute(sa.update(JOBS).where(JOBS.c.id == row.id).values(plan=changed(row.spec, row.plan)))
        newest = rows[-1].id
