"""The baseline of a job, the fold of a checkpoint, and the checkpoint that a fork starts from."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("origin", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("jobs", sa.Column("baseline", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("checkpoints", sa.Column("fold", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("checkpoints", "fold")
    op.drop_column("jobs", "baseline")
    op.drop_column("jobs", "origin")
