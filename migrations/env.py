"""Alembic's environment: it migrates the database of the ATHANOR_* settings to the tables of models/records."""

from alembic import context
from sqlalchemy.engine import Connection

from athanor.processes.private_files import keep_private
from models.records.database import Database
from models.records.tables import Base
from models.settings import Settings


def migrate(connection: Connection) -> None:
    # SQLite cannot alter most of a table. Batch mode makes a new table and copies the rows.
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # If two processes start at once, the second waits without a limit. Then it has nothing left to do.
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(5026418)")
        context.run_migrations()


keep_private()
given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    database = Database(Settings().database)
    with database.engine.connect().execution_options(writes=True) as opened:
        migrate(opened)
        opened.commit()
    database.close()
