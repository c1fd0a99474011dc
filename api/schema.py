"""Bringing an installation's database to the tables this version knows."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from models.records.database import Database

MIGRATIONS = Path(__file__).parents[1] / "migrations"


def upgrade(database: Database) -> None:
    """Run the migrations that are still missing, in one transaction."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.connect().execution_options(writes=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
