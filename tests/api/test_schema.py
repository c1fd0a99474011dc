"""A database that this version does not know: never migrated, or left by an older or a newer version."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from api import schema
from api.app import create_app
from models.records import keys
from models.records.database import Database
from models.settings import Settings
from tests.api import kit


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database without a table."""
    opened = Database(database_url)
    yield opened
    opened.close()


def test_it_is_said_and_nothing_fails(database: Database, database_url: str, tmp_path: Path) -> None:
    app = create_app(Settings(data=tmp_path / "data", database_url=database_url))
    with TestClient(app, headers={"Authorization": "Bearer ath_00_x"}) as client:

        def told(*words: str) -> None:
            ready = client.get("/readyz")
            assert ready.status_code == 503
            assert client.head("/readyz").status_code == 503
            sentence = ready.json()["database"]
            assert all(word in sentence for word in words), sentence
            for path in ("/v1/jobs", "/v1/datasets", "/v1/workers", "/v1/jobs/job_none", "/v1/catalog"):
                assert kit.problem(client.get(path), 503, "wrong_schema")["detail"] == sentence
            assert kit.problem(client.post("/v1/jobs", json=kit.spec()), 503, "wrong_schema")["detail"] == sentence
            assert client.get("/healthz").status_code == 200

        told("no tables yet", "`alembic upgrade head`")
        schema.upgrade(database)
        with database.writing() as tx:
            key = keys.create(tx, "tests")
            head = tx.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        assert client.get("/v1/jobs").status_code == 401
        client.headers["Authorization"] = f"Bearer {key}"
        assert client.get("/v1/jobs").status_code == client.get("/readyz").status_code == 200
        # Under a process that runs, too.
        for revision, words in (
            (
                "0001",
                ("the database is at revision 0001 of an older version", f"needs {head}", "`alembic upgrade head`"),
            ),
            ("9999", ("the database is at revision 9999 of a newer version", f"`alembic downgrade {head}`")),
            (head, ()),
        ):
            with database.writing() as tx:
                tx.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})
            if words:
                told(*words)
        assert client.get("/v1/jobs").status_code == client.get("/readyz").status_code == 200
