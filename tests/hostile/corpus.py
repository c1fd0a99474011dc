"""All cases."""

from collections.abc import Iterator

from api.app import app
from tests.hostile import heads, requests, row_files, sequences, uploads
from tests.hostile.case import Case


def routes() -> list[str]:
    """Every operation of the API, such as `GET /v1/jobs/{job_id}`."""
    return [f"{method.upper()} {path}" for path, operations in app.openapi()["paths"].items() for method in operations]


def cases() -> Iterator[Case]:
    yield from heads.cases()
    yield from requests.cases(routes())
    yield from requests.specs()
    yield from requests.patches()
    yield from uploads.cases()
    yield from row_files.cases()
    yield from sequences.cases()
