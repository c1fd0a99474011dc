"""Forks: a job from another's checkpoint, what it takes over, what it may change, and what it needs no more."""

from typing import Any

import httpx
import numpy as np
import pytest
from safetensors.numpy import load

from tests.api import kit
from tests.api.conftest import Trained

STILL = {"hyperparameters": {"epochs": 1, "optimizer": {"lr": 1e-30}, "schedule": {"kind": "constant"}}}
"""Changes under which the weights stay where they are."""


def fork(client: httpx.Client, job_id: str, status: int = 201, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/v1/jobs/{job_id}/fork", json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def weights(client: httpx.Client, job_id: str, which: str = "best") -> dict[str, np.ndarray[Any, Any]]:
    found: dict[str, np.ndarray[Any, Any]] = load(client.get(f"/v1/jobs/{job_id}/checkpoints/{which}/weights").content)
    return found


def first(client: httpx.Client, job_id: str, series: str = "val/loss") -> float:
    return float(client.get(f"/v1/jobs/{job_id}/metrics").json()["series"][series]["values"][0])


@pytest.mark.parametrize("kind", ["table", "image", "text", "regression"])
def test_a_fork_starts_where_its_parent_was_best(trained: Trained, kind: str) -> None:
    client, parent = trained.client, getattr(trained, kind)
    best = client.get(f"/v1/jobs/{parent}/checkpoints/best").json()
    job = fork(client, parent, spec=STILL)
    assert job["origin"] == {"job_id": parent, "checkpoint_id": best["id"], "step": best["step"], "fresh": []}
    assert job["transitions"][0]["reason"] == f"forked from {parent} at step {best['step']}"
    kit.train(trained.house.settings)
    job = client.get(f"/v1/jobs/{job['id']}").json()
    assert job["state"] == "succeeded", job["error"]
    assert first(client, job["id"]) == pytest.approx(best["score"], rel=1e-6)
    before, after = weights(client, parent), weights(client, job["id"])
    assert {name: value.tobytes() for name, value in before.items()} == {
        name: value.tobytes() for name, value in after.items()
    }
