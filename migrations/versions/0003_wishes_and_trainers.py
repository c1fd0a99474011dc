"""The time of a request to stop, the time that the stop took, and the start time of an attempt's trainer."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("desired_at", sa.Double(), nullable=True))
    op.add_column("jobs", sa.Column("stop_seconds", sa.Double(), nullable=True))
    op.add_column("attempts", sa.Column("pid_started", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("attempts", "pid_started")
    op.drop_column("jobs", "stop_seconds")
    op.drop_column("jobs", "desired_at")
