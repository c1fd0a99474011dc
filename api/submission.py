"""From a spec to a row in the queue: what submitting and forking have in common."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fastapi import Response
from sqlalchemy.exc import IntegrityError

from api import builtin
from api.deps import Service, missing
from api.problems import Refused
from athanor.contract import Job, Plan, Warned
from models.errors import SpecError
from models.planning.rehearsal import rehearse
from models.planning.resolve import ResolvedSpec, resolve
from models.planning.spec import JobSpec
from models.planning.transfer import Start
from models.records import idempotency, job_views, jobs, queue, waiting
from models.records.database import DatabaseUnavailable
from models.records.keys import Caller


def earlier(service: Service, response: Response, caller: Caller, said: str, idempotency_key: str | None) -> Job | None:
    """The job that the same request made before: 200. None where this is the first. Raises KeyReused.

    To be asked before anything else: what the request needed then may be gone by now, the job is not.
    """
    if idempotency_key is None:
        return None
    with service.database.reading() as tx:
        job_id = idempotency.earlier(tx, caller.key_id, idempotency_key, _digest(said))
    return None if job_id is None else _answer(service, response, job_id, 200)


@dataclass(frozen=True)
class Planned:
    """A spec that can work: as it was sent, what it was resolved to, and what that costs."""

    spec: JobSpec
    resolved: ResolvedSpec
    plan: Plan


def plan(service: Service, spec: JobSpec, start: Start | None = None) -> Planned:
    """Resolve and rehearse a spec. Raises SpecError where it cannot work, with a pointer into the spec."""
    dataset = builtin.find(service, spec.dataset.id)
    if dataset is None:
        raise SpecError(
            "/dataset/id",
            f"there is no dataset '{spec.dataset.id}'",
            code="unknown_dataset",
            suggestion="upload one, or take a built-in set from GET /v1/catalog",
        )
    resolved = resolve(spec, dataset.schema_, dataset.rows, start)
    cost = rehearse(resolved, dataset.schema_, dataset.rows, service.settings.limits, start)
    return Planned(spec, resolved, cost)


def warned(service: Service, planned: Planned, *more: Warned) -> Plan:
    """The plan with what its reader should know, and with what would keep the job waiting now.

    It is for an answer only: a minute later it may be wrong.
    """
    given, used = planned.spec.hyperparameters, planned.resolved.spec.hyperparameters
    found = list(more)
    if given.batch_size not in (None, used.batch_size) and used.optimizer:
        unused = f"{used.optimizer.kind} takes all rows in one batch; batch_size = {given.batch_size} is not used"
        found.append(Warned(code="unused", message=unused))
    with service.database.reading() as tx:
        found += waiting.warnings(tx, planned.spec.resources.device, service.settings.timing.lease)
    return planned.plan.model_copy(update={"warnings": found})


def of(caller: Caller, planned: Planned, said: str, idempotency_key: str | None) -> jobs.Submission:
    """The row that a planned spec asks for. `said` is what a repeated request must repeat."""
    spec = planned.spec
    return jobs.Submission(
        key_id=caller.key_id,
        spec=spec.model_dump(mode="json", exclude_unset=True),
        resolved=planned.resolved.model_dump(mode="json"),
        plan=planned.plan.model_dump(mode="json", exclude={"spec", "shapes", "warnings"}),
        dataset_id=spec.dataset.id,
        device=spec.resources.device,
        priority=spec.resources.priority,
        request_sha256=_digest(said),
        name=spec.name,
        tags=spec.tags,
        idempotency_key=idempotency_key,
    )


def accept(service: Service, response: Response, wanted: jobs.Submission, check: Callable[[], object]) -> Job:
    """Queue a job and ring: 201, or 200 with the job that the same request made before. Raises KeyReused.

    `check` says again, by a SpecError, whether the job can work.
    """
    try:
        with service.database.writing() as tx:
            job_id, is_new = jobs.submit(tx, wanted)
    except IntegrityError:
        # The same key came by another request at this moment, or the dataset went: now both can be seen.
        check()
        with service.database.writing() as tx:
            job_id, is_new = jobs.submit(tx, wanted)
    # Only now: a worker that hears the ring must find the row.
    if is_new and service.broker.ring(job_id):
        # Accepted it is: without the mark, it is rung for once more.
        with suppress(*DatabaseUnavailable), service.database.writing() as tx:
            queue.mark_rung(tx, job_id)
    return _answer(service, response, job_id, 201 if is_new else 200)


def _digest(said: str) -> str:
    return hashlib.sha256(said.encode()).hexdigest()


def _answer(service: Service, response: Response, job_id: str, status: int) -> Job:
    response.status_code = status
    response.headers["Location"] = f"/v1/jobs/{job_id}"
    return job(service, job_id)


def job(service: Service, job_id: str) -> Job:
    """Raises Refused with 404."""
    with service.database.reading() as tx:
        found = job_views.job(tx, job_id, service.settings.timing.lease)
    if found is None:
        raise missing("job", job_id)
    return found


@dataclass(frozen=True)
class Trained:
    """What is needed of a job to use its checkpoints."""

    dataset_id: str
    resolved: dict[str, Any]

    def spec(self) -> ResolvedSpec:
        return ResolvedSpec.model_validate(self.resolved)


def usable(service: Service, job_id: str) -> Trained:
    """A job whose checkpoints this version reads. Raises Refused with 404, or with 409 for a job of 0.1."""
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
