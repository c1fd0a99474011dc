"""Version 0.2: what its rows say that those of 0.1 did not."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

JOBS = sa.table("jobs", sa.column("id", sa.String), sa.column("spec", sa.JSON), sa.column("plan", sa.JSON))
MEASURES = {
    "classification": {"loss": "min", "accuracy": "max"},
    "regression": {"loss": "min", "rmse": "min", "mae": "min", "r2": "max"},
    "tagging": {"loss": "min", "accuracy": "max", "f1": "max"},
    "language_modeling": {"loss": "min", "accuracy": "max", "perplexity": "min"},
}
"""What 0.1 evaluated each task by, and which way each improves."""


def upgrade() -> None:
    bind = op.get_bind()
    # A few at a time: a service may have had many jobs.
    newest = ""
    while rows := bind.execute(sa.select(JOBS).where(JOBS.c.id > newest).order_by(JOBS.c.id).limit(1000)).all():
        for row in rows:
            directions = MEASURES[row.plan["task"]]
            new = {"spec": _with_modes(row.spec, directions), "plan": {**row.plan, "directions": directions}}
            bind.execute(sa.update(JOBS).where(JOBS.c.id == row.id).values(**new))
        newest = rows[-1].id


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


def downgrade() -> None:
    bind = op.get_bind()
    newest = ""
    while rows := bind.execute(sa.select(JOBS).where(JOBS.c.id > newest).order_by(JOBS.c.id).limit(1000)).all():
        for row in rows:
            policy = {name: value for name, value in row.spec["checkpoints"].items() if name != "mode"}
            plan = {name: value for name, value in row.plan.items() if name != "directions"}
            new = {"spec": {**row.spec, "checkpoints": policy}, "plan": plan}
            bind.execute(sa.update(JOBS).where(JOBS.c.id == row.id).values(**new))
        newest = rows[-1].id
