"""Version 0.2: an index for lists of jobs by their state, and the key that asked for a stop."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("desired_by", sa.String(200), nullable=True))
    op.create_index("ix_jobs_state", "jobs", ["state", "id"])


def downgrade() -> None:
    op.drop_index("ix_jobs_state", "jobs")
    op.drop_column("jobs", "desired_by")
