"""What a trial of threads has found is kept for trainings of the same kind."""

import copy
from pathlib import Path
from typing import Any

import pytest

from worker.supervision.thread_choices import ThreadChoices

SPEC: dict[str, Any] = {
    "architecture": {"kind": "mlp"},
    "dataset": {"id": "ds_1", "split": {"kind": "holdout", "seed": 0}},
    "hyperparameters": {
        "batch_size": 8,
        "accumulate": 1,
        "precision": "fp32",
        "seed": 0,
        "optimizer": {"kind": "adam"},
    },
    "resources": {"engine": "manual", "priority": 0},
}


def _changed(room: str, name: str, value: Any) -> dict[str, Any]:
    spec = copy.deepcopy(SPEC)
    spec[room][name] = value
    return spec


@pytest.fixture
def choices(tmp_path: Path) -> ThreadChoices:
    choices = ThreadChoices(tmp_path / "threads")
    choices.keep(SPEC, 4, 3)
    return choices


@pytest.mark.parametrize(
    ("room", "name", "value"),
    [
        ("hyperparameters", "seed", 1),
        ("dataset", "split", {"kind": "holdout", "seed": 2}),
        ("resources", "priority", 9),
    ],
)
def test_what_changes_no_step_keeps_the_number(choices: ThreadChoices, room: str, name: str, value: Any) -> None:
    assert choices.of(_changed(room, name, value), 4) == 3


@pytest.mark.parametrize(
    ("room", "name", "value"),
    [
        ("architecture", "kind", "cnn"),
        ("dataset", "id", "ds_2"),
        ("hyperparameters", "batch_size", 16),
        ("hyperparameters", "accumulate", 2),
        ("hyperparameters", "precision", "bf16"),
        ("hyperparameters", "optimizer", {"kind": "sgd"}),
        ("resources", "engine", "eager"),
    ],
)
def test_what_changes_a_step_needs_a_trial_of_its_own(choices: ThreadChoices, room: str, name: str, value: Any) -> None:
    assert choices.of(_changed(room, name, value), 4) is None


def test_the_first_number_stays_and_another_machine_has_another(choices: ThreadChoices) -> None:
    choices.keep(SPEC, 4, 1)
    assert (choices.of(SPEC, 4), choices.of(SPEC, 8)) == (3, None)
