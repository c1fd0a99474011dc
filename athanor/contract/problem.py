"""Problems: why a request was refused (RFC 9457)."""

from pydantic import Field

from athanor.contract.base import Answer


class Fault(Answer):
    """One thing wrong with a request, and where: `pointer` is an RFC 6901 JSON Pointer into the body."""

    pointer: str
    code: str
    message: str
    suggestion: str | None = None


class Problem(Answer):
    """RFC 9457 problem details, served as application/problem+json."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    instance: str | None = None
    request_id: str | None = None
    errors: list[Fault] = Field(default_factory=list)
