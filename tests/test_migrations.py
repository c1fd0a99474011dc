"""The migrations make the tables that the code knows, and take them away again."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from api.schema import MIGRATIONS, upgrade
from athanor.version import __version__
from models.records.database import Database
from models.records.tables import Base
from tests.factories import a_filled_spec, a_job, a_spec

ROOT = Path(__file__).parents[1]
COMMA = re.compile(r",(?![^(]*\))")
UPGRADE = """
import sys
from api.schema import upgrade
from models.records.database import Database

database = Database(sys.argv[1])
sys.stdin.readline()
upgrade(database)
database.close()
"""


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    """A database without a table."""
    database = Database(database_url)
    yield database
    database.close()


def config() -> Config:
    found = Config()
    found.set_main_option("script_location", str(MIGRATIONS))
    return found


def run(database: Database, connection_config: Config, revision: str) -> None:
    with database.engine.connect().execution_options(writes=True) as connection, connection.begin():
        connection_config.attributes["connection"] = connection
        command.downgrade(connection_config, revision)


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    # Reflected from SQLite, the index over an expression always differs: its words are compared below.
    found = list(compare_metadata(context, Base.metadata))
    return found if connection.dialect.name == "postgresql" else [each for each in found if not about_queue(each)]


def about_queue(difference: Any) -> bool:
    return difference[0] in ("add_index", "remove_index") and difference[1].name == "ix_jobs_queue"


def definitions(database: Database) -> dict[str, str]:
    """Indexes and checks in the database's own words: what a comparison of the metadata passes over."""
    queries = {
        "sqlite": "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL",
        "postgresql": """
            SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
            UNION SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        """,
    }
    with database.engine.connect() as connection:
        rows = connection.execute(text(queries[database.engine.dialect.name])).all()
    return {name: "\n".join(clauses(sql)) for name, sql in rows if "alembic" not in name}


def clauses(sql: str) -> list[str]:
    """What a definition says; the order and the white space within CREATE TABLE depend on who wrote it."""
    head, _, body = sql.partition("(")
    if not head.startswith("CREATE TABLE"):
        return [sql]
    # A comma outside the parentheses of a check or a key. SQLite quotes the name of a table that was made anew.
    return [
        head.strip().replace('"', ""),
        *sorted(" ".join(clause.split()) for clause in COMMA.split(body.rpartition(")")[0])),
    ]


def test_the_migrations_make_the_tables_the_code_knows(empty: Database) -> None:
    upgrade(empty)
    with empty.engine.connect() as connection:
        assert differences(connection) == []


def test_indexes_and_checks_are_those_of_the_code(empty: Database) -> None:
    upgrade(empty)
    migrated = definitions(empty)
    run(empty, config(), "base")
    with empty.engine.connect().execution_options(writes=True) as connection, connection.begin():
        Base.metadata.create_all(connection)
    created = definitions(empty)
    assert migrated == created
    assert "priority DESC" in migrated["ix_jobs_queue"]
    assert "queued" in migrated["ix_jobs_queue"]


def test_down_and_up_again(empty: Database) -> None:
    for _ in range(2):
        upgrade(empty)
        assert set(inspect(empty.engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
        run(empty, config(), "base")
        assert inspect(empty.engine).get_table_names() == ["alembic_version"]


def test_a_job_of_this_version_keeps_its_filled_spec_on_the_way_down(empty: Database) -> None:
    """Version 0.1 knows no other."""
    upgrade(empty)
    with empty.writing() as tx:
        job_id = a_job(tx)
    run(empty, config(), "0004")
    with empty.engine.connect() as connection:
        spec = connection.execute(text("SELECT spec FROM jobs WHERE id = :id"), {"id": job_id}).scalar_one()
    spec = json.loads(spec) if isinstance(spec, str) else spec
    assert spec == {**a_filled_spec(a_spec(tags={})), "checkpoints": {}}


def test_an_upgrade_of_what_is_new_does_nothing(empty: Database) -> None:
    upgrade(empty)
    before = definitions(empty)
    upgrade(empty)
    assert definitions(empty) == before


def test_a_database_of_a_newer_version_is_left_alone(empty: Database) -> None:
    upgrade(empty)
    with empty.engine.connect().execution_options(writes=True) as connection, connection.begin():
        connection.execute(text("UPDATE alembic_version SET version_num = '9999_to_come'"))
    (head,) = ScriptDirectory.from_config(config()).get_heads()
    with pytest.raises(SystemExit) as told:
        upgrade(empty)
    said = str(told.value)
    assert f"is at revision 9999_to_come of a newer version; this version, {__version__}, needs" in said
    assert f"`alembic downgrade {head}`" in said and f"{empty.engine.url.database} is at" in said
    with empty.engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999_to_come"


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(config()).get_heads()) == 1


def test_two_processes_may_start_at_once(database_url: str, empty: Database) -> None:
    starting = [
        subprocess.Popen([sys.executable, "-c", UPGRADE, database_url], cwd=ROOT, stdin=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in starting:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
    assert [process.wait(60) for process in starting] == [0, 0]
    with empty.engine.connect() as connection:
        assert differences(connection) == []


def test_the_command_line_migrates_what_the_environment_names(database_url: str, empty: Database) -> None:
    for words in (["upgrade", "head"], ["downgrade", "base"]):
        subprocess.run(
            [sys.executable, "-m", "alembic", *words],
            cwd=ROOT,
            env={"ATHANOR_DATABASE_URL": database_url, "PATH": "/usr/bin:/bin"},
            check=True,
            capture_output=True,
        )
        names = set(inspect(empty.engine).get_table_names())
        assert names == ({"alembic_version"} if "downgrade" in words else {*Base.metadata.tables, "alembic_version"})


def test_packed_columns_are_not_compressed_twice(database: Database, dialect: str) -> None:
    if dialect == "postgresql":
        with database.engine.connect() as connection:
            query = "SELECT attname FROM pg_attribute WHERE attstorage = 'e' AND attname IN ('packed', 'data')"
            assert sorted(connection.execute(text(query)).scalars()) == ["data", "packed"]
