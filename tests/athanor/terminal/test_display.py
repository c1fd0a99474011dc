"""What is shown of a job."""

import io
from typing import Any

from rich.console import Console

from athanor.contract import Job, Plan
from athanor.terminal import display
from athanor.terminal.live import Board
from tests.athanor.answers import a_job

EARLY = {
    "state": "succeeded",
    "progress": {"step": 380, "steps": 2280, "epoch": 5.0, "eta_seconds": None},
    "latest": {"val/loss": {"step": 380, "value": 0.5}, "test/accuracy": {"step": 380, "value": 0.75}},
    "best": {"val/loss": {"step": 228, "value": 0.25}, "test/accuracy": {"step": 380, "value": 0.75}},
}
RULE = {"series": "val/loss", "patience": 5}


def _shown(**said: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=120, highlight=False).print(display.job(Job.model_validate(a_job(**said))))
    return out.getvalue()


def _row(shown: str, name: str) -> list[str]:
    return next(line.split() for line in shown.splitlines() if line.strip().startswith(name))


def test_an_early_stop_is_called_so() -> None:
    assert "step 380 of 2280, epoch 5.0, stopped early" in _shown(**EARLY)
    spec = {"architecture": {"kind": "mlp"}, "hyperparameters": {"early_stopping": RULE}}
    assert "stopped early: val/loss did not improve in 5 evaluations" in _shown(**EARLY, spec=spec)
    for state in ("running", "cancelled", "failed"):
        assert "stopped early" not in _shown(**EARLY | {"state": state})
    whole = {"progress": {"step": 60, "steps": 60, "epoch": 3.0, "eta_seconds": None}}
    assert "stopped early" not in _shown(**EARLY | whole)


def test_an_early_stop_is_called_so_while_it_is_watched() -> None:
    out = io.StringIO()
    with Board(Console(file=out, width=160, highlight=False)) as board:
        board.update(Job.model_validate(a_job(**EARLY)))
    assert out.getvalue().rstrip().endswith("stopped early")


def test_test_results_name_their_checkpoint() -> None:
    shown = _shown(**EARLY)
    assert _row(shown, "tested") == ["tested", "the", "best", "checkpoint,", "of", "step", "228"]
    assert _row(shown, "test/accuracy") == ["test/accuracy", "0.75", "–", "228"]


def test_without_a_best_checkpoint_the_last_was_tested() -> None:
    spec = {"architecture": {"kind": "mlp"}, "checkpoints": {"series": "val/loss", "keep_best": 0}}
    shown = _shown(**EARLY, spec=spec)
    assert _row(shown, "tested") == ["tested", "the", "last", "checkpoint,", "of", "step", "380"]
    assert _row(shown, "test/accuracy")[-1] == "380"


def test_nothing_is_said_of_a_checkpoint_that_is_not_known() -> None:
    assert "tested" not in _shown(**EARLY | {"best": {}})
    folds = {"n": 5, "done": 5, "series": {"test/accuracy": {"mean": 0.5, "std": 0.1, "values": [0.5] * 5}}}
    assert "tested" not in _shown(**EARLY, folds=folds)
    assert "tested" not in _shown()


WAITING = {"reason": "no worker has CUDA", "place": 3}


def test_a_queued_job_says_what_it_waits_for() -> None:
    assert "place 3 in the queue: no worker has CUDA" in _shown(state="queued", waiting=WAITING)
    assert "in the queue" not in _shown(state="queued")


def test_a_queued_job_that_is_watched_says_what_it_waits_for() -> None:
    out = io.StringIO()
    with Board(Console(file=out, width=160, highlight=False)) as board:
        board.update(Job.model_validate(a_job(state="queued", waiting=WAITING)))
    assert out.getvalue().rstrip().endswith("place 3 in the queue: no worker has CUDA")


def test_a_plan_shows_its_warnings() -> None:
    counts = ("parameters", "trainable", "memory_bytes", "train_rows", "val_rows", "test_rows", "steps")
    plan = {"task": "regression", "directions": {}, "steps_per_epoch": 1, "checkpoint_bytes": 1, "spec": {}}
    plan |= dict.fromkeys(counts, 1) | {"warnings": [{"code": "no_device", "message": "no worker has CUDA"}]}
    out = io.StringIO()
    Console(file=out, width=120, highlight=False).print(display.plan(Plan.model_validate(plan)))
    assert "warning: no worker has CUDA" in out.getvalue()


def test_a_job_says_its_engine_and_why() -> None:
    spec = {"resources": {"engine": "manual"}}
    shown = _shown(spec=spec, engine_reason="mlp has derivatives by hand")
    assert "manual: mlp has derivatives by hand" in shown
    assert "engine" not in _shown()


def test_a_job_is_asked_for_what_it_has_not_done_yet() -> None:
    assert _row(_shown(desired="pause"), "asked to") == ["asked", "to", "pause"]
    assert _row(_shown(state="paused", desired="cancel"), "asked to")[-1] == "cancel"
    assert "asked to" not in _shown(state="paused", desired="pause")
    assert "asked to" not in _shown(state="cancelled", desired="cancel")
