"""The last heartbeat of a job's worker, and the digest of a dataset's stored rows."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("beat_at", sa.Double(), nullable=True))
    op.add_column("datasets", sa.Column("blob_sha256", sa.String(64), nullable=True))


def downgrade() -> None:
    op.drop_column("datasets", "blob_sha256")
    op.drop_column("jobs", "beat_at")
