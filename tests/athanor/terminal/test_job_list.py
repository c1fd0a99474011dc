"""The list of jobs at the widths of real terminals."""

import io
from typing import Any

import pytest
from rich.console import Console

from athanor.contract import Job
from athanor.terminal.job_list import best, notes, table
from tests.athanor.answers import a_job

ID = "job_01932c07f1b17d3c9a5e0f6b2d8c4e17"
DATASET = "ds_01932c07f1b17d3c9a5e0f6b2d8c4e17"


def _jobs(**said: Any) -> list[Job]:
    """A usual job, one with every field at its longest, and one that has only begun."""
    long = a_job(
        id=ID.replace("01932c", "01932d"),
        name="a name that goes on\nand on, " * 6,
        state="succeeded",
        dataset_id=DATASET,
        spec={"architecture": {"kind": "transformer_lm"}, "checkpoints": {"series": "val/perplexity"}},
        progress={"step": 123_456, "steps": 1_000_000, "epoch": 1.5, "eta_seconds": None},
        best={"val/perplexity": {"step": 30, "value": 123.456}},
        created_at="2020-01-02T03:04:05.678Z",
    )
    fresh = a_job(id=ID.replace("01932c", "01932e"), name=None, state="queued", latest={}, best={})
    usual = a_job(id=ID, best={"val/loss": {"step": 20, "value": 0.125}}, latest={"val/loss": {"step": 30, "value": 9}})
    return [Job.model_validate(each | said) for each in (usual, long, fresh)]


def _lines(jobs: list[Job], width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(table(jobs, width))
    return [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]


@pytest.mark.parametrize("width", [80, 100, 120, 160, 200, 300])
def test_a_job_is_one_line(width: int) -> None:
    lines = _lines(_jobs(), width)
    head, *rows = [line for line in lines if "─" not in line]
    assert len(rows) == 3
    assert head.split()[:5] == ["id", "name", "state", "step", "best"]
    assert max(map(len, lines)) <= width
    assert [row[:20] for row in rows] == [job.id[:20] for job in _jobs()]
    assert "0.125 val/loss" in rows[0]
    assert "123k/1.0M early" in rows[1] and "123.5 val/perplexity" in rows[1]


def test_a_long_series_is_cut_before_an_id_is() -> None:
    name = "val/a_metric_with_a_name_that_is_far_too_long"
    spec = {"architecture": {"kind": "mlp"}, "checkpoints": {"series": name}}
    rows = _lines(_jobs(spec=spec, best={name: {"step": 30, "value": 0.5}}), 80)[2:]
    assert len(rows) == 3
    assert rows[0].startswith(ID[:20]) and "0.5 val/" in rows[0]


def test_a_wider_terminal_shows_more() -> None:
    def head(width: int) -> list[str]:
        return _lines(_jobs(), width)[0].split()

    assert (
        set(head(80))
        < set(head(110))
        < set(head(200))
        == {*("id", "name", "state", "step", "best", "created", "architecture", "dataset")}
    )
    wide = _lines(_jobs(), 200)
    assert ID in wide[2] and DATASET in wide[3]


def test_a_usual_list_shows_more_than_the_least_at_80() -> None:
    assert "created" in _lines(_jobs()[:1], 80)[0]


def test_the_best_is_that_of_the_series_which_chooses_checkpoints() -> None:
    reached = {"val/loss": {"step": 20, "value": 0.125}, "val/f1": {"step": 40, "value": 0.75}}
    spec = {"architecture": {"kind": "mlp"}, "checkpoints": {"series": "val/f1"}}
    assert best(Job.model_validate(a_job(best=reached, spec=spec))) == "0.75 val/f1"
    assert best(Job.model_validate(a_job(best=reached))) == "0.125 val/loss"
    assert best(Job.model_validate(a_job(best={}))) == "–"


def test_the_best_of_folds_is_the_mean_of_their_tests() -> None:
    spread = {"mean": 0.5, "std": 0.1, "values": [0.4, 0.6]}
    folds = {"n": 5, "done": 2, "series": {"test/loss": spread}}
    assert best(Job.model_validate(a_job(folds=folds))) == "0.5 mean test/loss"
    assert best(Job.model_validate(a_job(folds=folds | {"done": 0, "series": {}}))) == "–"


def test_a_queued_job_has_its_place_and_the_list_says_what_is_waited_for() -> None:
    cuda, busy = "no worker has CUDA", "every worker is busy"
    queued = [
        Job.model_validate(a_job(id=f"job_{at}", state="queued", waiting={"reason": reason, "place": at}))
        for at, reason in enumerate((busy, cuda, busy), 1)
    ]
    shown = "\n".join(_lines(queued, 80))
    assert "queued #1" in shown and "queued #3" in shown
    assert [str(note) for note in notes([*queued, *_jobs()])] == [f"2 jobs wait: {busy}", f"1 job waits: {cuda}"]
