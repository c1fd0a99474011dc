"""A 0.1 database under today's version: everything stays readable and can be downloaded."""

import hashlib
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, create_engine, insert, make_url, select, text
from starlette.testclient import TestClient

from api import schema
from api.app import create_app
from athanor.contract import Metrics
from models.records import metrics
from models.records.database import Database
from models.records.tables import Attempt
from models.settings import Settings
from tests.api import kit

ARCHIVE = Path(__file__).parent / "data" / "service-0.1.tar.gz"
LAST_OF_0_1 = "0004"
UNFINISHED = {"running", "queued", "paused"}


@pytest.fixture
def old(tmp_path: Path, dialect: str, request: pytest.FixtureRequest) -> Path:
    """The folder of the 0.1 service, with `url` in it: where its rows are."""
    folder = tmp_path / "old"
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    lite = f"sqlite:///{folder / 'athanor.db'}"
    if dialect == "postgresql":
        (folder / "url").write_text(request.getfixturevalue("database_url"))
        _copy(lite, (folder / "url").read_text())
    else:
        (folder / "url").write_text(lite)
    return folder


def _copy(source: str, target: str) -> None:
    """The rows of a SQLite database, in the tables that 0.1 had on PostgreSQL."""
    database = Database(target)
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    rows = create_engine(source)
    with database.engine.connect().execution_options(writes=True) as to, rows.connect() as there, to.begin():
        config.attributes["connection"] = to
        command.upgrade(config, LAST_OF_0_1)
        tables = MetaData()
        tables.reflect(to)
        for table in tables.sorted_tables:
            if table.name != "alembic_version" and (found := there.execute(select(table)).mappings().all()):
                to.execute(insert(table), [dict(row) for row in found])
        to.execute(text("SELECT setval(pg_get_serial_sequence('events', 'seq'), (SELECT max(seq) FROM events))"))
    rows.dispose()
    database.close()


@pytest.fixture
def expected(old: Path) -> dict[str, Any]:
    """What 0.1 answered: jobs and datasets by id."""
    answers: dict[str, Any] = json.loads((old / "expected.json").read_text())
    return answers


@pytest.fixture
def client(old: Path) -> Iterator[httpx.Client]:
    """A client of today's API over the old folder."""
    url = (old / "url").read_text()
    settings = Settings(data=old, database_url=url, store=f"file://{old / 'store'}")
    database = Database(settings.database)
    schema.upgrade(database)
    database.close()
    key = (old / "admin.key").read_text().strip()
    with TestClient(create_app(settings), headers={"Authorization": f"Bearer {key}"}) as own:
        yield own


def test_the_copy_is_of_the_dialect_that_was_asked_for(old: Path, dialect: str) -> None:
    assert make_url((old / "url").read_text()).get_backend_name() == dialect


def test_datasets_stay_as_they_were(client: httpx.Client, expected: dict[str, Any]) -> None:
    assert len(expected["datasets"]) >= 5
    for id, before in expected["datasets"].items():
        now = client.get(f"/v1/datasets/{id}").json()
        preview = client.get(f"/v1/datasets/{id}/preview").json()
        assert {name: now[name] for name in ("name", "format", "rows", "bytes", "sha256", "created_at")} == {
            name: before[name] for name in ("name", "format", "rows", "bytes", "sha256", "created_at")
        }
        assert preview["columns"] == before["columns"]


def test_jobs_keep_their_states_and_numbers(client: httpx.Client, expected: dict[str, Any]) -> None:
    listed = {job["id"]: job for job in client.get("/v1/jobs?limit=100").json()["data"]}
    assert listed.keys() == expected["jobs"].keys()
    for id, before in expected["jobs"].items():
        job = client.get(f"/v1/jobs/{id}").json()
        for name in ("name", "created_at", "latest", "tags", "attempt"):
            assert job[name] == before[name], (id, name)
        if before["state"] in UNFINISHED:
            assert job["state"] == "failed" and "submit its spec again" in job["error"]["message"]
            assert job["transitions"][-1]["from"] == before["state"] and job["transitions"][-1]["to"] == "failed"
            assert job["finished_at"] is not None
        else:
            assert (job["state"], job["error"]) == (before["state"], before["error"])


def test_a_cross_validation_keeps_its_folds(client: httpx.Client, expected: dict[str, Any]) -> None:
    (crossed,) = {
        id for id, job in expected["jobs"].items() if any(name.startswith("folds/") for name in job["series"])
    }
    latest = expected["jobs"][crossed]["latest"]
    for id in expected["jobs"]:
        folds = client.get(f"/v1/jobs/{id}").json()["folds"]
        if id != crossed:
            assert folds is None
            continue
        assert (folds["n"], folds["done"]) == (3, 3)
        for name in ("test/loss", "test/accuracy"):
            assert folds["series"][name]["values"] == [latest[f"folds/{fold}/{name}"]["value"] for fold in (1, 2, 3)]


def test_every_point_of_every_series_is_there(client: httpx.Client, expected: dict[str, Any]) -> None:
    points = 0
    for id, before in expected["jobs"].items():
        series = client.get(f"/v1/jobs/{id}/metrics?max_points=100000").json()["series"]
        assert series.keys() == before["series"].keys()
        for name, (count, step, value, digest) in before["series"].items():
            now = [series[name]["steps"], series[name]["values"]]
            assert (len(now[0]), now[0][-1], now[1][-1]) == (count, step, value)
            assert hashlib.sha256(json.dumps(now).encode()).hexdigest() == digest
            points += count
    assert points > 1000


def test_polling_in_pages_gives_every_point_once(client: httpx.Client, expected: dict[str, Any], old: Path) -> None:
    database = Database((old / "url").read_text())
    for id in expected["jobs"]:
        whole = client.get(f"/v1/jobs/{id}/metrics").json()
        held, after = Metrics(series={}, next=0), -1
        while held.next > after:
            after = held.next
            with database.reading() as tx:
                page = metrics.read(tx, id, None, after, None, upto=after + 97)
            assert sum(len(each.steps) for each in page.series.values()) == page.next - after
            held = held.followed_by(page)
        assert held == Metrics.model_validate(whole)
    database.close()


def test_down_and_up_again_keeps_series_and_checkpoints(old: Path) -> None:
    database, config = Database((old / "url").read_text()), Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    before = _rows(database)
    schema.upgrade(database)
    with database.engine.connect().execution_options(writes=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.downgrade(config, LAST_OF_0_1)
    assert _rows(database) == before
    database.close()


def _rows(database: Database) -> list[Any]:
    with database.engine.connect() as connection:
        chunks = text("SELECT job_id, series, first_step, n, packed FROM chunks ORDER BY job_id, series, first_step")
        checkpoints = text("SELECT id, job_id, step, fold FROM checkpoints ORDER BY id")
        return [[tuple(row) for row in connection.execute(query)] for query in (chunks, checkpoints)]


def test_every_checkpoint_can_be_downloaded(client: httpx.Client, expected: dict[str, Any]) -> None:
    for id, before in expected["jobs"].items():
        listed = {each["id"]: each for each in client.get(f"/v1/jobs/{id}/checkpoints").json()["data"]}
        assert {key: [each["step"], each["sha256"]] for key, each in listed.items()} == before["checkpoints"]
        for checkpoint, (_, sha256) in before["checkpoints"].items():
            weights = client.get(f"/v1/jobs/{id}/checkpoints/{checkpoint}/weights").content
            assert hashlib.sha256(weights).hexdigest() == sha256


def test_attempts_keep_their_processes_there_and_back(old: Path) -> None:
    database = Database((old / "url").read_text())
    pids = text("SELECT pid, pid_started FROM attempts WHERE pid IS NOT NULL ORDER BY job_id, attempt")
    with database.reading() as tx:
        before = [tuple(row) for row in tx.execute(pids)]
    schema.upgrade(database)
    lists = select(Attempt.processes).where(Attempt.processes.is_not(None)).order_by(Attempt.job_id, Attempt.attempt)
    with database.reading() as tx:
        assert before and list(tx.scalars(lists)) == [[{"pid": pid, "started": started}] for pid, started in before]
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    with database.engine.connect().execution_options(writes=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.downgrade(config, LAST_OF_0_1)
        assert [tuple(row) for row in connection.execute(pids)] == before
    database.close()


def test_what_cannot_go_on_is_refused_with_a_sentence(client: httpx.Client, expected: dict[str, Any]) -> None:
    trained = next(id for id, job in expected["jobs"].items() if job["name"] == "table")
    asked = [
        client.post(f"/v1/jobs/{trained}/predict", json={"rows": [{"width": 0.5, "color": "red"}]}),
        client.post(f"/v1/jobs/{trained}/fork", json={}),
        client.get(f"/v1/jobs/{trained}/checkpoints/best/export?format=bundle"),
    ]
    for answer in asked:
        assert (answer.status_code, answer.json()["code"]) == (409, "old_version")
        assert "submit its spec again" in answer.json()["detail"]
    paused = next(id for id, job in expected["jobs"].items() if job["state"] == "paused")
    assert client.post(f"/v1/jobs/{paused}/resume").status_code == 409


SMALL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "table": ({"kind": "mlp", "hidden": [4]}, {"inputs": ["width", "color"], "target": "price"}),
    "reviews": ({"kind": "textcnn", "widths": [2], "channels": 2, "embedding": 4}, {"target": "label"}),
    "tags": ({"kind": "rnn", "hidden": 4, "embedding": 4}, {"input": "words", "target": "tags"}),
    "pixels": ({"kind": "cnn", "channels": [2], "hidden": [4]}, {}),
    "text": ({"kind": "ngram"}, {}),
}


def test_its_datasets_still_train(client: httpx.Client, old: Path) -> None:
    """The specs of 0.1 on its data give nearly the figures of 0.1: cells of either form are read alike.

    The masks of dropout are others.
    """
    listed = {each["name"]: each["id"] for each in client.get("/v1/datasets").json()["data"]}
    submitted = {}
    for name, (architecture, choice) in SMALL.items():
        spec = {"architecture": architecture, "dataset": {"id": listed[name], **choice}, "hyperparameters": {}}
        answer = client.post("/v1/jobs", json=spec | {"hyperparameters": {} if name == "text" else {"epochs": 2}})
        assert answer.status_code == 201, answer.json()
        submitted[name] = answer.json()["id"]
    kit.train(Settings(data=old, database_url=(old / "url").read_text(), store=f"file://{old / 'store'}"))
    for name, id in submitted.items():
        job = client.get(f"/v1/jobs/{id}").json()
        assert job["state"] == "succeeded", (name, job["error"])
    before = json.loads((old / "expected.json").read_text())["jobs"].values()
    (pixels,) = [job for job in before if job["name"] == "pixels"]
    job = client.get(f"/v1/jobs/{submitted['pixels']}").json()
    for name in ("train/loss", "val/loss"):
        found, expected = job["latest"][name], pixels["latest"][name]
        assert (found["step"], found["value"]) == (expected["step"], pytest.approx(expected["value"], rel=0.1))
