"""A checkpoint that another one replaces while it is read: the name is looked up once more."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from models.records import checkpoints
from models.records.tables import Checkpoint
from models.storage.store import Store, fetch, open_store
from tests.api.conftest import Ended
from tests.api.kit import Installation

FLOWER = {f"{part} {side} (cm)": 1.0 for part in ("sepal", "petal") for side in ("length", "width")}
FETCH = "api.routes.checkpoints.fetch"


@pytest.fixture
def house(after: Installation) -> Installation:
    return after


@pytest.fixture
def job_id(house: Installation, client: httpx.Client, ended: Ended, monkeypatch: pytest.MonkeyPatch) -> str:
    """A job with several checkpoints, the first of which is the best until someone begins to copy it."""
    job_id = ended.job_id
    first = client.get(f"/v1/jobs/{job_id}/checkpoints").json()["data"][0]["id"]
    with house.database.writing() as tx:
        tx.execute(update(Checkpoint).where(Checkpoint.id == first).values(score=-1.0))
    assert client.get(f"/v1/jobs/{job_id}/checkpoints/best").json()["id"] == first

    def retire_first(store: Store, *asked: Any) -> None:
        monkeypatch.setattr(FETCH, fetch)
        with house.database.writing() as tx:
            gone = checkpoints.retire(tx, job_id, 1, 0, "min")
        for each in gone:
            open_store(house.settings, house.database).delete(each.prefix)
        fetch(store, *asked)

    monkeypatch.setattr(FETCH, retire_first)
    return job_id


@pytest.fixture
def last(client: httpx.Client, job_id: str) -> str:
    return str(client.get(f"/v1/jobs/{job_id}/checkpoints/last").json()["id"])


def test_of_a_prediction(client: httpx.Client, job_id: str, last: str) -> None:
    answer = client.post(f"/v1/jobs/{job_id}/predict", json={"rows": [FLOWER]})
    assert (answer.status_code, answer.json().get("checkpoint_id")) == (200, last)


def test_of_a_fork(client: httpx.Client, job_id: str, last: str) -> None:
    answer = client.post(f"/v1/jobs/{job_id}/fork", json={})
    assert answer.status_code == 201, answer.text
    assert answer.json()["origin"]["checkpoint_id"] == last


def test_of_an_export(client: httpx.Client, job_id: str, last: str, tmp_path: Path) -> None:
    answer = client.get(f"/v1/jobs/{job_id}/checkpoints/best/export", params={"format": "bundle"})
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        assert last in json.dumps([bundle.read(name).decode(errors="replace") for name in bundle.namelist()])
