"""What the client raises, in the service's own words."""

from http import HTTPStatus

from pydantic import ValidationError

from athanor.contract import Job, JobError, Problem


class AthanorError(Exception):
    """Everything raised here on purpose. `problem` is what the service said, where it said anything."""

    def __init__(self, said: Problem | str) -> None:
        self.problem = said if isinstance(said, Problem) else None
        super().__init__(_describe(said) if isinstance(said, Problem) else said)

    @property
    def code(self) -> str | None:
        return self.problem.code if self.problem else None


class Unauthorized(AthanorError):
    """No key, or one the service does not know."""


class NotFound(AthanorError):
    """No such job, dataset or checkpoint."""


class Conflict(AthanorError):
    """The thing is in a state that does not allow this."""


class TooLarge(AthanorError):
    """More bytes than the service accepts."""


class Invalid(AthanorError):
    """The request cannot work; `problem.errors` says where and why, one line each in str()."""


class ServiceUnavailable(AthanorError):
    """The service is up but cannot answer now."""


class Unreachable(AthanorError):
    """Nothing answered at the address, or the connection broke."""

    def __init__(self, url: str, reason: str, refused: bool = False) -> None:
        if refused:
            super().__init__(f"no service answers at {url} ({reason}); start one with: athanor up")
        else:
            super().__init__(f"the connection to {url} broke: {reason}")


class JobFailed(AthanorError):
    """A job that was waited for ended as failed."""

    def __init__(self, job: Job) -> None:
        self.job = job
        error = job.error or JobError(code="unknown", message="the service gave no reason")
        again = "; it may work when submitted again" if error.retryable else ""
        super().__init__(f"{job.id} failed: {error.message} ({error.code}){again}")


class JobCancelled(AthanorError):
    """A job that was waited for ended as cancelled."""

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(f"{job.id} was cancelled")


class UnknownReference(AthanorError):
    """What was given in place of an id means nothing, or more than one thing."""


class DigestMismatch(AthanorError):
    """The bytes that arrived are not the bytes that were promised; they were removed."""


BY_STATUS: dict[int, type[AthanorError]] = {
    400: Invalid,
    401: Unauthorized,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: Invalid,
    502: ServiceUnavailable,
    503: ServiceUnavailable,
    504: ServiceUnavailable,
    507: ServiceUnavailable,
}


def refusal(status: int, body: bytes) -> AthanorError:
    """The exception for an answer that is not a success, whether or not the service itself wrote it."""
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        said = body.decode("utf-8", errors="replace").strip()[:300] or "nothing more"
        problem = Problem(
            title=HTTPStatus(status).phrase if status in list(HTTPStatus) else "Unknown status",
            status=status,
            detail=f"the answer was {status}, which said: {said}",
            code="unexplained",
        )
    return BY_STATUS.get(status, AthanorError)(problem)


def _describe(problem: Problem) -> str:
    # The detail of a single fault may be that fault again.
    is_new = problem.detail not in {f"{fault.pointer}: {fault.message}" for fault in problem.errors}
    lines = [problem.detail if is_new else problem.title]
    for fault in problem.errors:
        hint = f" ({fault.suggestion})" if fault.suggestion else ""
        lines.append(f"  {fault.pointer or '/'}: {fault.message}{hint}")
    if problem.status == 401:
        lines.append("  give a key with --key or ATHANOR_KEY, or name its data folder with ATHANOR_DATA")
    if problem.status >= 500 and problem.request_id:
        lines.append(f"  request {problem.request_id} in the service's log")
    return "\n".join(lines)
