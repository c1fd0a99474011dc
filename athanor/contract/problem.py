"""Problems: why a request was refused (RFC 9457)."""

from pydantic import Field

from athanor.contract.base import Answer


class Fault(Answer):
    """One fault of a request. `pointer` is a JSON Pointer (RFC 6901) into the body, or ?name for a query parameter."""

    pointer: str
    code: str
    message: str
    suggestion: str | None = None


class Problem(Answer):
    """Why a request was refused: problem details (RFC 9457), served as application/problem+json."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    instance: str | None = None
    request_id: str | None = None
    errors: list[Fault] = Field(default_factory=list)
