"""How a dataset was read; findings of a job; an index for the newest points."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite cannot change a constraint of a table that others refer to. So the column keeps it, under another name.
    op.execute("ALTER TABLE datasets RENAME COLUMN sha256 TO identity")
    op.add_column("datasets", sa.Column("sha256", sa.String(64), nullable=False, server_default=sa.text("''")))
    op.execute("UPDATE datasets SET sha256 = identity")
    op.add_column("datasets", sa.Column("dialect", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("jobs", sa.Column("findings", sa.JSON(none_as_null=True), nullable=True))
    op.create_index("ix_chunks_sequence", "chunks", ["job_id", "last_sequence"])


JOBS = sa.table("jobs", sa.column("id", sa.String), sa.column("resolved", sa.JSON(none_as_null=True)))
ADDED = ("columns", "described")
"""Fields of a resolved spec that an older version refuses."""


def forget_columns() -> None:
    bind = op.get_bind()
    for row in bind.execute(sa.select(JOBS.c.id).where(JOBS.c.resolved.is_not(None))).all():
        resolved = bind.execute(sa.select(JOBS.c.resolved).where(JOBS.c.id == row.id)).scalar_one()
        resolved = {name: value for name, value in resolved.items() if name not in ADDED}
        if "dataset" in resolved.get("spec", {}):
            resolved["spec"]["dataset"].pop("features", None)
        if "resources" in resolved.get("spec", {}):
            resolved["spec"]["resources"].pop("threads", None)
        bind.execute(sa.update(JOBS).where(JOBS.c.id == row.id).values(resolved=resolved))


def downgrade() -> None:
    forget_columns()
    op.drop_index("ix_chunks_sequence", "chunks")
    op.drop_column("jobs", "findings")
    op.drop_column("datasets", "dialect")
    # An older version knows one dataset of the same bytes. It takes the others for datasets of other bytes.
    op.execute(
        "UPDATE datasets SET identity = sha256 WHERE NOT EXISTS (SELECT 1 FROM datasets AS other WHERE "
        "other.sha256 = datasets.sha256 AND other.format = datasets.format AND other.id < datasets.id)"
    )
    op.drop_column("datasets", "sha256")
    op.execute("ALTER TABLE datasets RENAME COLUMN identity TO sha256")
