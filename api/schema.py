"""Bringing an installation's database to the tables this version knows."""

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
    """The database has other tables than this version knows; the sentence names the command that mends it."""


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
    """Raises WrongSchema where the database was never migrated, or by an older or a newer version."""
    head, known = _known()
    found = revisions(tx)
    there = ", ".join(sorted(found))
    if found == {head}:
        return
    if not found:
        raise WrongSchema("the database has no tables yet: run `alembic upgrade head` (`athanor up` does it itself)")
    if found <= known:
        raise WrongSchema(
            f"an older version left the database at {there}, and this one, {__version__}, needs {head}: "
            "run `alembic upgrade head`"
        )
    raise WrongSchema(
        f"a newer version brought the database to {there}, and this one, {__version__}, knows no further than {head}: "
        f"start the newer version, or back up and let it run `alembic downgrade {head}`"
    )


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
