"""Metrics: columns, filters, thinning, polling, waiting."""

import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest

from models.records import metrics
from models.records.chunks import Points
from tests.api import kit
from tests.api.conftest import Trained
from tests.api.kit import Installation


def write(house: Installation, job_id: str, **series: dict[int, float]) -> None:
    """Append points; `train_loss` stands for train/loss."""
    batch = {
        name.replace("_", "/"): Points.of([*points], [*points.values()], [1000.0 + step for step in points])
        for name, points in series.items()
    }
    with house.database.writing() as tx:
        metrics.append(tx, job_id, batch)


@pytest.fixture
def job_id(house: Installation, client: httpx.Client) -> str:
    made = kit.submit(client)
    loss = {step: 1 / step for step in range(1, 101)}
    write(house, made, train_loss=loss, val_loss={50: 0.5, 100: 0.25}, lr={100: 0.1})
    return made


def test_columns(client: httpx.Client, job_id: str) -> None:
    found = client.get(f"/v1/jobs/{job_id}/metrics").json()
    assert found["series"].keys() == {"train/loss", "val/loss", "lr"} and found["next"] == 103
    assert found["series"]["val/loss"] == {"steps": [50, 100], "values": [0.5, 0.25], "times": [1050.0, 1100.0]}
    train = found["series"]["train/loss"]
    assert train["steps"] == [*range(1, 101)] and train["values"] == [1 / step for step in range(1, 101)]


@pytest.mark.parametrize("query", ["series=val/loss&series=lr", "series=val/loss,lr", "series=val%2Floss,&series=lr"])
def test_series_by_name(client: httpx.Client, job_id: str, query: str) -> None:
    assert client.get(f"/v1/jobs/{job_id}/metrics?{query}").json()["series"].keys() == {"val/loss", "lr"}


@pytest.mark.parametrize("name", ["val/accuracy", "test/loss", "folds/3/val/loss"])
def test_a_series_that_may_come_is_empty(client: httpx.Client, job_id: str, name: str) -> None:
    found = client.get(f"/v1/jobs/{job_id}/metrics?series={name}").json()
    empty: dict[str, list[float]] = {"steps": [], "values": [], "times": []}
    assert found == {"series": {name: empty}, "next": 103}


@pytest.mark.parametrize("name", ["val/losses", "val/perplexity", "nosuch", "x" * 5_000])
def test_an_unknown_series_is_refused_with_the_names_of_all(client: httpx.Client, job_id: str, name: str) -> None:
    for more in ("", "&wait=30", "&max_points=4"):
        answer = client.get(f"/v1/jobs/{job_id}/metrics?series=lr,{name}{more}")
        (fault,) = kit.problem(answer, 422, "invalid")["errors"]
        assert (fault["pointer"], fault["code"]) == ("?series", "unknown_series")
        assert fault["suggestion"] == "one of lr, train/loss, val/loss" and name[:50] in fault["message"]
    # A caller that goes on was answered before.
    assert client.get(f"/v1/jobs/{job_id}/metrics?series={name}&after=103").status_code == 200


def test_a_job_without_points_may_still_have_any_series(client: httpx.Client) -> None:
    assert client.get(f"/v1/jobs/{kit.submit(client)}/metrics?series=nosuch").json()["next"] == 0


def test_after(client: httpx.Client, job_id: str) -> None:
    found = client.get(f"/v1/jobs/{job_id}/metrics?after=99").json()
    assert found["series"]["train/loss"]["steps"] == [99, 100] and found["series"]["val/loss"]["steps"] == [100]
    for after in (103, 2**63 - 1):
        found = client.get(f"/v1/jobs/{job_id}/metrics?after={after}").json()
        assert found["next"] == after and not any(series["steps"] for series in found["series"].values())


def test_what_comes_later_for_an_earlier_step_is_not_passed_over(
    house: Installation, client: httpx.Client, job_id: str
) -> None:
    write(house, job_id, val_accuracy={50: 0.75})
    found = client.get(f"/v1/jobs/{job_id}/metrics?after=103").json()
    assert found["series"] == {"val/accuracy": {"steps": [50], "values": [0.75], "times": [1050.0]}}
    assert found["next"] == 104


def test_polling_gives_every_point_once(house: Installation, client: httpx.Client, job_id: str) -> None:
    seen: list[int] = []
    after = 0
    for last in (100, 101, 101, 140):
        first = max(seen, default=100) + 1
        if last >= first:
            write(house, job_id, train_loss=dict.fromkeys(range(first, last + 1), 1.0))
        found = client.get(f"/v1/jobs/{job_id}/metrics", params={"series": "train/loss", "after": after}).json()
        seen += found["series"]["train/loss"]["steps"]
        after = found["next"]
    assert seen == [*range(1, 141)]


@pytest.mark.parametrize("most", [4, 5, 10, 50, 99, 100, 1000])
def test_thinning_keeps_extremes(house: Installation, client: httpx.Client, job_id: str, most: int) -> None:
    wave = {step: math.sin(step) + (9 if step == 333 else -9 if step == 777 else 0) for step in range(1, 1001)}
    write(house, job_id, grad_norm=wave)
    path = f"/v1/jobs/{job_id}/metrics?series=grad/norm&max_points={most}"
    found = client.get(path).json()["series"]["grad/norm"]
    assert len(found["steps"]) <= most and found["steps"] == sorted(set(found["steps"]))
    assert {1, 1000} <= {*found["steps"]} and found["values"] == [wave[step] for step in found["steps"]]
    if most >= 6:
        assert {333, 777} <= {*found["steps"]}


def test_numbers_that_are_none_are_strings(house: Installation, client: httpx.Client, job_id: str) -> None:
    write(house, job_id, train_loss={101: math.nan, 102: math.inf, 103: -math.inf, 104: 1.0, 105: math.nan})
    answer = client.get(f"/v1/jobs/{job_id}/metrics?after=103")
    assert answer.json()["series"]["train/loss"]["values"] == ["NaN", "Infinity", "-Infinity", 1.0, "NaN"]
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert job["latest"]["train/loss"] == {"step": 105, "value": "NaN"}
    assert job["best"]["train/loss"] == {"step": 100, "value": 0.01}
    thinned = client.get(f"/v1/jobs/{job_id}/metrics?series=train/loss&max_points=4").json()
    assert thinned["series"]["train/loss"]["steps"][-1] == 105


@pytest.fixture
def later(house: Installation) -> Iterator[list[threading.Thread]]:
    """Threads that must have ended when the test has."""
    threads: list[threading.Thread] = []
    yield threads
    for thread in threads:
        thread.join()


def test_waiting_ends_when_points_come(
    house: Installation, live: httpx.Client, job_id: str, later: list[threading.Thread]
) -> None:
    timer = threading.Timer(0.5, lambda: write(house, job_id, train_loss={101: 0.5}))
    later.append(timer)
    timer.start()
    began = time.monotonic()
    found = live.get(f"/v1/jobs/{job_id}/metrics?after=103&wait=15").json()
    assert 0.4 < time.monotonic() - began < 5
    assert found["series"]["train/loss"]["steps"] == [101] and found["next"] == 104


def test_waiting_ends_when_the_job_does(live: httpx.Client, job_id: str, later: list[threading.Thread]) -> None:
    timer = threading.Timer(
        0.3,
        lambda: httpx.post(str(live.base_url.join(f"/v1/jobs/{job_id}/cancel")), headers=live.headers, trust_env=False),
    )
    later.append(timer)
    timer.start()
    began = time.monotonic()
    assert live.get(f"/v1/jobs/{job_id}/metrics?after=103&wait=15").json()["next"] == 103
    assert time.monotonic() - began < 5


def test_waiting_has_an_end(live: httpx.Client, job_id: str) -> None:
    began = time.monotonic()
    found = live.get(f"/v1/jobs/{job_id}/metrics?after=103&wait=1").json()
    assert 0.9 < time.monotonic() - began < 3 and found["next"] == 103
    began = time.monotonic()
    assert live.get(f"/v1/jobs/{job_id}/metrics?after=103").json()["next"] == 103
    assert time.monotonic() - began < 0.5


def test_waiting_for_one_series_is_not_ended_by_another(house: Installation, live: httpx.Client, job_id: str) -> None:
    write(house, job_id, train_loss=dict.fromkeys(range(101, 111), 1.0))
    began = time.monotonic()
    found = live.get(f"/v1/jobs/{job_id}/metrics?series=val/loss&after=103&wait=0.8").json()
    assert time.monotonic() - began > 0.7 and found["series"]["val/loss"]["steps"] == []


def test_many_can_wait_and_others_are_served(live: httpx.Client, job_id: str) -> None:
    def wait() -> None:
        httpx.get(
            str(live.base_url.join(f"/v1/jobs/{job_id}/metrics?after=103&wait=2")),
            headers=live.headers,
            trust_env=False,
        )

    threads = [threading.Thread(target=wait) for _ in range(60)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    assert live.get("/v1/jobs").status_code == 200
    assert time.monotonic() - began < 1.5
    for thread in threads:
        thread.join()


def test_many_who_ask_for_the_same_share_a_look(
    house: Installation, live: httpx.Client, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if they ask for the whole series, and one after the other, and if more points come meanwhile."""
    looks: list[int | None] = []
    read = metrics.read

    def counted(*given: Any) -> Any:
        looks.append(given[3])
        return read(*given)

    monkeypatch.setattr(metrics, "read", counted)
    with ThreadPoolExecutor(41) as pool:
        # Somebody waits, so the job is watched.
        pool.submit(live.get, f"/v1/jobs/{job_id}/metrics?series=val/loss&after=103&wait=3")
        kit.until(lambda: house.app.state.service.watcher.known(job_id) != "unseen")
        first = pool.map(lambda _: live.get(f"/v1/jobs/{job_id}/metrics?after=0&wait=20").json(), range(20))
        assert [each["next"] for each in first] == [103] * 20
        later = [pool.submit(live.get, f"/v1/jobs/{job_id}/metrics?after=103&wait=20") for _ in range(20)]
        time.sleep(0.5)
        write(house, job_id, train_loss={101: 0.0, 102: 0.0})
        time.sleep(0.3)
        write(house, job_id, train_loss={103: 0.0})
        assert {each.result().json()["next"] for each in later} <= {105, 106}
    assert 2 <= len(looks) <= 4


def test_an_ended_job_makes_nobody_wait(trained: Trained) -> None:
    began = time.monotonic()
    path = f"/v1/jobs/{trained.table}/metrics"
    newest = trained.client.get(path, params={"after": 0}).json()["next"]
    found = trained.client.get(path, params={"after": newest, "wait": 30}).json()
    assert time.monotonic() - began < 2 and (found["series"], found["next"]) == ({}, newest)
    whole = trained.client.get(path).json()["series"]
    assert whole["train/loss"]["steps"] == [*range(1, 13)]
    assert np.isfinite(whole["test/accuracy"]["values"]).all()
