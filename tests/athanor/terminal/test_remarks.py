"""Warnings and findings in lines."""

from typing import Any

from athanor.contract import Finding, Job, Warned
from athanor.terminal import remarks
from athanor.terminal.job_list import notes
from tests.athanor.answers import a_job

FLAT = {"rule": "flat_loss", "severity": "warning", "steps": [1, 60], "evidence": {}, "explanation": "it fell by 1%"}
BELOW = {**FLAT, "rule": "below_baseline", "severity": "problem", "suggestion": "look at the columns"}
SMALL = {**FLAT, "rule": "small_part", "severity": "info"}


def test_the_worst_finding_is_first() -> None:
    shown = remarks.findings(Finding.model_validate(each) for each in (SMALL, FLAT, BELOW))
    assert [line.plain for line in shown] == [
        "problem: it fell by 1% (below_baseline)\n  → look at the columns",
        "warning: it fell by 1% (flat_loss)",
        "info: it fell by 1% (small_part)",
    ]


def _warned(**said: Any) -> str:
    (line,) = remarks.warnings([Warned.model_validate({"code": "odd", "message": "2 cells are odd", **said})])
    return line.plain


def test_a_warning_names_its_column_once_and_its_first_rows() -> None:
    assert _warned() == "warning: 2 cells are odd"
    assert _warned(column="age", rows=[4]) == "warning: age: 2 cells are odd (row 4)"
    assert _warned(column="odd", rows=list(range(1, 9))) == "warning: 2 cells are odd (rows 1, 2, 3, 4, 5, …)"
    assert _warned(suggestion="mend them") == "warning: 2 cells are odd\n  → mend them"


def test_a_list_of_jobs_names_those_with_findings() -> None:
    jobs = [Job.model_validate(a_job(id=f"job_{at}", findings=[FLAT, SMALL])) for at in range(4)]
    jobs.append(Job.model_validate(a_job(id="job_9", findings=[BELOW])))
    assert [line.plain for line in notes(jobs)] == ["below_baseline: job_9", "flat_loss: job_0, job_1 and 2 more"]
    assert notes([Job.model_validate(a_job())]) == []
