"""The exceptions of the client. Their messages are those of the service."""

from http import HTTPStatus

from pydantic import ValidationError

from athanor.contract import Job, JobError, Problem


class AthanorError(Exception):
    """The base class of the client's exceptions. `problem` holds the service's answer, if there was one."""

    def __init__(self, problem: Problem | str) -> None:
        self.problem = problem if isinstance(problem, Problem) else None
        super().__init__(_describe(problem) if isinstance(problem, Problem) else problem)

    @property
    def code(self) -> str | None:
        return self.problem.code if self.problem else None


class Unauthorized(AthanorError):
    """The request has no key, or one that the service does not know."""


class NotFound(AthanorError):
    """There is no such job, dataset or checkpoint."""


class Conflict(AthanorError):
    """The state of the job or dataset does not allow the request."""


class TooLarge(AthanorError):
    """The request has more bytes than the service accepts."""


class Invalid(AthanorError):
    """The request cannot work. `problem.errors` says where and why; str() has one line for each."""


class ServiceUnavailable(AthanorError):
    """The service runs but cannot answer now."""


class MalformedAddress(AthanorError):
    """The address of the service is no address, or not one of HTTP."""


class Unreachable(AthanorError):
    """There is no service at the address, or the connection broke."""

    def __init__(self, url: str, reason: str, refused: bool = False) -> None:
        if refused:
            super().__init__(f"there is no service at {url} ({reason}); start one with: athanor up")
        else:
            super().__init__(f"the connection to {url} broke: {reason}")


class JobFailed(AthanorError):
    """The job that was waited for has failed."""

    def __init__(self, job: Job) -> None:
        self.job = job
        error = job.error or JobError(code="unknown", message="the service gave no reason")
        again = "; it may succeed if it is submitted again" if error.retryable else ""
        super().__init__(f"{job.id} failed: {error.message} ({error.code}){again}")


class JobCancelled(AthanorError):
    """The job that was waited for was cancelled."""

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(f"{job.id} was cancelled")


class UnknownReference(AthanorError):
    """A name or the start of an id matches nothing, or more than one job or dataset."""


class DigestMismatch(AthanorError):
    """The SHA-256 of a download is wrong. The file was removed."""


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


def error_of(status: int, body: bytes) -> AthanorError:
    """The exception for an error answer. The answer is from the service, or from a proxy in front of it."""
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        text = body.decode("utf-8", errors="replace").strip()[:300] or "no text"
        problem = Problem(
            title=HTTPStatus(status).phrase if status in list(HTTPStatus) else "Unknown status",
            status=status,
            detail=f"the answer has the status {status}: {text}",
            code="unexplained",
        )
    return BY_STATUS.get(status, AthanorError)(problem)


def _describe(problem: Problem) -> str:
    # Do not print a detail that only repeats a fault.
    is_new = problem.detail not in {f"{fault.pointer}: {fault.message}" for fault in problem.errors}
    lines = [problem.detail if is_new else problem.title]
    for fault in problem.errors:
        hint = f" ({fault.suggestion})" if fault.suggestion else ""
        lines.append(f"  {fault.pointer or '/'}: {fault.message}{hint}")
    if problem.status == 401:
        lines.append("  give a key with --key or ATHANOR_KEY, or set ATHANOR_DATA to the service's data folder")
    if problem.status >= 500 and problem.request_id:
        lines.append(f"  see request {problem.request_id} in the service's log")
    return "\n".join(lines)
