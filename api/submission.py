"""Turn a spec into a queued job. Submitting and forking share this code."""

import hashlib
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import Response
from sqlalchemy.exc import IntegrityError

from api import builtin, descriptions
from api.deps import Service, missing
from api.openapi import LOCATION, Answers
from api.problems import Refused
from athanor.contract import Dataset, Job, Plan, Warned
from models.data.checks import concerns
from models.errors import SpecError
from models.planning.column_roles import unseen_words
from models.planning.rehearsal import rehearse
from models.planning.resolve import ResolvedSpec, resolve
from models.planning.spec import JobSpec
from models.planning.transfer import Start
from models.records import idempotency, job_views, jobs, queue, waiting
from models.records.database import DatabaseUnavailable
from models.records.keys import Caller

MOST_WARNINGS = 50
"""Warnings about its data that a job keeps."""

ANSWERS: Answers = {
    200: {
        "model": Job | Plan,
        "description": "The plan, or the job of an equal request before.",
        "headers": LOCATION,
    },
    201: {"description": "The job is in the queue.", "headers": LOCATION},
}


def earlier(
    service: Service, response: Response, caller: Caller, content: str, idempotency_key: str | None
) -> Job | None:
    """Answer 200 with the job that an earlier, equal request made. None if there is no such job. Raises KeyReused.

    Call this before all other checks: the dataset or checkpoint that the request needs may be deleted by now.
    """
    if idempotency_key is None:
        return None
    with service.database.reading() as tx:
        job_id = idempotency.earlier(tx, caller.key_id, idempotency_key, _digest(content))
    return None if job_id is None else _answer(service, response, job_id, 200)


@dataclass(frozen=True)
class Planned:
    """A spec that can work: as the user sent it, as it was resolved, its cost, and what is odd about its data."""

    spec: JobSpec
    resolved: ResolvedSpec
    plan: Plan
    warnings: list[Warned]
    """About the data."""


def plan(service: Service, spec: JobSpec, start: Start | None = None) -> Planned:
    """Resolve and rehearse a spec. Raises SpecError, with a pointer into the spec, if it cannot work."""
    dataset = builtin.find(service, spec.dataset.id)
    if dataset is None:
        raise SpecError(
            "/dataset/id",
            f"there is no dataset '{spec.dataset.id}'",
            code="unknown_dataset",
            suggestion="upload one, or take a built-in set from GET /v1/catalog",
        )
    schema = descriptions.schema_for(service, dataset, spec.dataset.features)
    with service.rehearsals:
        resolved = resolve(spec, schema, dataset.rows, start)
        cost = rehearse(resolved, schema, dataset.rows, service.settings.limits, start)
    return Planned(spec, resolved, cost, _about_data(dataset, resolved, spec.dataset.features))


def _about_data(dataset: Dataset, resolved: ResolvedSpec, reread: Collection[str]) -> list[Warned]:
    """The first warnings about the dataset that concern a job."""
    roles = resolved.roles
    inputs = {name for names in roles.inputs.values() for name in names}
    job = partial(
        concerns,
        inputs=inputs,
        target=roles.target,
        split=roles.split,
        suggested=dataset.schema_.target,
        reread=reread,
        weight=roles.weight,
    )
    found = [each for each in dataset.warnings if job(each)]
    return [*unseen_words(resolved.columns), *found][:MOST_WARNINGS]


def warned(service: Service, planned: Planned, *more: Warned) -> Plan:
    """The plan with warnings: `more`, about the data, ignored fields, why the job would have to wait now.

    Use it only for an answer: the reasons to wait change.
    """
    given, used = planned.spec.hyperparameters, planned.resolved.spec.hyperparameters
    found = [*more, *planned.warnings]
    if given.batch_size not in (None, used.batch_size) and used.optimizer:
        unused = f"{used.optimizer.kind} takes all rows in one batch; batch_size = {given.batch_size} is not used"
        found.append(Warned(code="unused", message=unused))
    trainings, schedule = len(planned.resolved.sizes), used.schedule
    if schedule is not None and schedule.warmup_steps >= planned.resolved.steps / trainings:
        found.append(
            Warned(
                code="unused",
                message=f"the warm-up takes {schedule.warmup_steps:,} steps, and a training has "
                f"{planned.resolved.steps // trainings:,}: the learning rate never reaches its top",
                suggestion="a shorter warm-up, or more epochs",
            )
        )
    with service.database.reading() as tx:
        found += waiting.warnings(tx, planned.spec.resources.device, service.settings.timing.lease)
    return planned.plan.model_copy(update={"warnings": found})


def of(caller: Caller, planned: Planned, content: str, idempotency_key: str | None) -> jobs.Submission:
    """The row for a planned spec. A request with the same `idempotency_key` must have the same `content`."""
    spec = planned.spec
    return jobs.Submission(
        key_id=caller.key_id,
        spec=spec.model_dump(mode="json", exclude_unset=True),
        resolved=planned.resolved.model_dump(mode="json"),
        plan=planned.plan.model_dump(mode="json", exclude={"spec", "shapes", "warnings", "columns"})
        | {"warnings": [each.model_dump(mode="json") for each in planned.warnings]},
        dataset_id=spec.dataset.id,
        device=spec.resources.device,
        priority=spec.resources.priority,
        request_sha256=_digest(content),
        name=spec.name,
        tags=spec.tags,
        idempotency_key=idempotency_key,
    )


def accept(service: Service, response: Response, wanted: jobs.Submission, check: Callable[[], object]) -> Job:
    """Queue a job and ring. Answer 201, or 200 with the job that an earlier, equal request made. Raises KeyReused.

    `check` raises SpecError if the job can no longer work.
    """
    try:
        with service.database.writing() as tx:
            job_id, is_new = jobs.submit(tx, wanted)
    except IntegrityError:
        # Another request has just used the same key, or the dataset was just deleted. Both are visible now.
        check()
        with service.database.writing() as tx:
            job_id, is_new = jobs.submit(tx, wanted)
    # After the commit, because a worker that hears the ring must find the row.
    if is_new and service.broker.ring(job_id):
        # The job is accepted, so an error must not fail the request. Without the mark, the job is rung for again.
        with suppress(*DatabaseUnavailable), service.database.writing() as tx:
            queue.mark_rung(tx, job_id)
    return _answer(service, response, job_id, 201 if is_new else 200)


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def _answer(service: Service, response: Response, job_id: str, status: int) -> Job:
    response.status_code = status
    response.headers["Location"] = f"/v1/jobs/{job_id}"
    return job(service, job_id)


def job(service: Service, job_id: str) -> Job:
    """The job as the API shows it. Raises Refused with 404."""
    with service.database.reading() as tx:
        found = job_views.job(tx, job_id, service.settings.timing.lease)
    if found is None:
        raise missing("job", job_id)
    return found


@dataclass(frozen=True)
class Trained:
    """The columns of a job that are needed to use its checkpoints."""

    dataset_id: str
    resolved: dict[str, Any]

    def spec(self) -> ResolvedSpec:
        return ResolvedSpec.model_validate(self.resolved)


def usable(service: Service, job_id: str) -> Trained:
    """A job whose checkpoints this version can read. Raises Refused: 404, or 409 for a job of version 0.1."""
    with service.database.reading() as tx:
        found = job_views.resolved(tx, job_id)
    if found is None:
        raise missing("job", job_id)
    dataset_id, resolved = found
    if resolved is None:
        raise Refused(
            409,
            "old_version",
            "this job was trained by version 0.1: its checkpoints can be downloaded, but this version does not predict "
            "with them, export or fork them; submit its spec again",
        )
    return Trained(dataset_id, resolved)
