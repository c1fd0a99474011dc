"""The database schema: check that it fits this version, and run missing migrations."""

import sys
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.orm import Session

from athanor.version import __version__
from models.records.database import Database, revisions

MIGRATIONS = Path(__file__).parents[1] / "migrations"


class WrongSchema(Exception):
    """The database schema belongs to another version. The message names the command that fixes it."""


@cache
def _known() -> tuple[str, frozenset[str]]:
    """The newest revision, and all of them."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head()
    assert head is not None
    return head, frozenset(each.revision for each in scripts.walk_revisions())


def check(tx: Session) -> None:
    """Raises WrongSchema if the database was never migrated, or last migrated by an older or a newer version."""
    head, known = _known()
    found = revisions(tx)
    there = ", ".join(sorted(found))
    if found == {head}:
        return
    if not found:
        raise WrongSchema("the database has no tables yet: run `alembic upgrade head` (`athanor up` does it itself)")
    if found <= known:
        raise WrongSchema(
            f"the database is at revision {there} of an older version; this version, {__version__}, needs {head}: "
            "run `alembic upgrade head`"
        )
    raise WrongSchema(
        f"the database is at revision {there} of a newer version; this version, {__version__}, needs {head}: "
        f"start the newer version, or back up the database and run the newer version's `alembic downgrade {head}`"
    )


def upgrade(database: Database) -> None:
    """Run the missing migrations in one transaction. Exits if a newer version has migrated the database."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    known = ScriptDirectory.from_config(config)
    with database.engine.connect().execution_options(writes=True) as connection, connection.begin():
        heads = MigrationContext.configure(connection).get_current_heads()
        unknown = {*heads} - {each.revision for each in known.walk_revisions()}
        if unknown:
            where = database.engine.url.render_as_string(hide_password=True)
            sys.exit(
                f"the database {where} is at revision {', '.join(sorted(unknown))} of a newer version; "
                f"this version, {__version__}, needs {known.get_current_head()}: start the newer version, or back up "
                f"the database and run the newer version's `alembic downgrade {known.get_current_head()}`"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
