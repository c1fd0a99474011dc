"""Events of a job."""

from typing import Any, Literal

from athanor.contract.base import Answer


class Event(Answer):
    """Something that happened to a job. `seq` increases over the whole service, not job by job."""

    seq: int
    job_id: str
    attempt: int
    at: str
    kind: Literal["state", "checkpoint", "log", "warning"]
    data: dict[str, Any]
