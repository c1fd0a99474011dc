"""Bringing an installation's database to the tables this version knows."""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from athanor.version import __version__
from models.records.database import Database

MIGRATIONS = Path(__file__).parents[1] / "migrations"


def upgrade(database: Database) -> None:
    """Run the migrations that are still missing, in one transaction. Exits where a newer version ran its own."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    known = ScriptDirectory.from_config(config)
    with database.engine.connect().execution_options(writes=True) as connection, connection.begin():
        heads = MigrationContext.configure(connection).get_current_heads()
        unknown = {*heads} - {each.revision for each in known.walk_revisions()}
        if unknown:
            where = database.engine.url.render_as_string(hide_password=True)
            sys.exit(
                f"the database {where} was brought to {', '.join(sorted(unknown))} by a newer version, "
                f"and this one, {__version__}, knows no further than {known.get_current_head()}: start the newer "
                f"version, or back up and let it run `alembic downgrade {known.get_current_head()}` first"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
