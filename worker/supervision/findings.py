"""What the rules of the catalog say about a job that ends."""

import logging
import math
from collections.abc import Iterator

from sqlalchemy.orm import Session

from athanor.contract import Finding, Job
from models.parts.finding import FINDINGS, Curve, JobResults, Result, Training
from models.records import job_views, metrics
from models.records.database import DatabaseUnavailable

logger = logging.getLogger(__name__)

READ = ("train/loss", "val/loss")
"""The series that the rules see."""


def judge(tx: Session, job_id: str, succeeded: bool) -> list[Finding]:
    """The findings of a job whose points are all recorded. What fails is logged and left out: the job ends anyway."""
    found = []
    try:
        seen = _seen(tx, job_id, succeeded)
    except DatabaseUnavailable:
        raise
    except Exception:
        logger.exception("%s: its results cannot be judged", job_id)
        return []
    for rule in FINDINGS:
        try:
            finding = rule.model_validate({}).judge(seen)
        except Exception:
            logger.exception("%s: the rule %s failed", job_id, rule.__name__)
            continue
        if finding is not None:
            found.append(finding)
    return found


def _seen(tx: Session, job_id: str, succeeded: bool) -> JobResults:
    job, plan = job_views.job(tx, job_id, lease=0.0), job_views.planned(tx, job_id)
    assert job is not None and plan is not None
    return JobResults(
        trainings=list(_trainings(tx, job, plan.trainings)),
        results=list(_results(job, plan)),
        step=job.progress.step,
        steps=job.progress.steps,
        succeeded=succeeded,
        is_fork=job.origin is not None,
        baseline_kind=job.baseline.kind if job.baseline else "",
    )


def _trainings(tx: Session, job: Job, trainings: int) -> Iterator[Training]:
    """The trainings that have begun."""
    members = [None] if trainings == 1 else range(1, trainings + 1)
    for member in members:
        curves = {}
        for name in READ:
            stored = metrics.series_name(name, member)
            if stored in job.latest:
                points = metrics.overview(tx, job.id, stored)
                curves[name] = Curve.of(points.steps, points.values)
        if begun := [int(each.steps[0]) for each in curves.values() if len(each)]:
            yield Training(curves, metrics.series_name("", member), start=min(begun) - 1)


def _results(job: Job, plan: job_views.Planned) -> Iterator[Result]:
    """The metrics of the test part, measured once; without one, the best values on the validation part."""
    is_tested = any(name.startswith("test/") for name in job.latest)
    part, points = ("test", job.latest) if is_tested else ("val", job.best)
    for metric, direction in job.directions.items():
        series = f"{part}/{metric}"
        if series in points and math.isfinite(points[series].value):
            baseline = job.baseline.values.get(series) if job.baseline else None
            rows = plan.test_rows if is_tested else plan.val_rows
            yield Result(series, points[series].value, direction, baseline, rows, plan.intervals.get(metric))
