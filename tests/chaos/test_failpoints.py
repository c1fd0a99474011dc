"""A crash at every crash point, in both modes of the service, does not change the result of the job."""

import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from tests.chaos.failpoints import POINTS, arm, is_armed
from tests.chaos.fleet import Fleet, Mode
from tests.chaos.invariants import Outcome, outcome, violations

pytestmark = [pytest.mark.proof, pytest.mark.timeout(300)]

SPEC: dict[str, Any] = {
    "architecture": {"kind": "cnn", "channels": [4, 8], "hidden": [16], "dropout": 0.3},
    "dataset": {"id": "digits"},
    "hyperparameters": {
        "epochs": 3,
        "seed": 3,
        "ema": 0.9,
        "augmentations": [{"kind": "shift", "pixels": 1}, {"kind": "noise"}],
    },
    "checkpoints": {"every_steps": 25, "keep_last": 1, "keep_best": 1},
    "resources": {"data_workers": 2},
}


@pytest.fixture(scope="module", params=["embedded", "production"])
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(cast(Mode, request.param), tmp_path_factory.mktemp("fleet")) as running:
        yield running


@pytest.fixture(scope="module")
def calm(fleet: Fleet) -> Outcome:
    job = fleet.finish(fleet.ask(lambda client: client.submit(SPEC)).id)
    return fleet.ask(lambda client: outcome(client, job.id))


@pytest.mark.parametrize("name", POINTS)
def test_the_job_ends_as_if_nothing_had_happened(name: str, fleet: Fleet, calm: Outcome) -> None:
    arm(fleet.armed, name)
    if name == "reap-before-commit":
        # The reaper has work only after a worker has died.
        arm(fleet.armed, "points-before-commit")
    job_id = fleet.ask(lambda client: client.submit(SPEC)).id
    job = fleet.finish(job_id)
    until = time.monotonic() + 20
    while is_armed(fleet.armed, name):
        assert time.monotonic() < until, f"no process reached {name}"
        time.sleep(0.05)
    settle(fleet, job_id)
    assert violations(fleet, {job_id: calm}) == []
    if POINTS[name].passes:
        assert any((step.reason or "").startswith("resumes at step") for step in job.transitions), "it began anew"


def settle(fleet: Fleet, job_id: str) -> None:
    """Wait until a sweep has deleted what killed processes left."""
    until = time.monotonic() + 15
    while (fleet.settings.scratch / job_id).exists() and time.monotonic() < until:
        time.sleep(0.1)
