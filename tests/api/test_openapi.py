"""The OpenAPI document: what each operation answers, refusals included, and what it needs."""

from typing import Any

import httpx
import pytest

from tests.api import kit
from tests.api.kit import Installation

ALWAYS = {"400", "408", "413", "414", "422", "431", "500", "503"}
JOB = "/v1/jobs/{job_id}"
WEIGHTS = f"{JOB}/checkpoints/{{checkpoint_id}}/weights"


@pytest.fixture(scope="module")
def document(api: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/openapi.json").json()
    return found


def test_every_operation_says_how_it_refuses(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"].keys()
            assert answers >= ALWAYS, (method, path)
            assert ("401" in answers) == path.startswith("/v1/"), (method, path)
            assert ("404" in answers) == ("{" in path), (method, path)
            assert not {"4XX", "default"} & answers, (method, path)


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        ("/v1/jobs", "get", {"200"}),
        ("/v1/jobs", "post", {"200", "201", "409"}),
        (JOB, "get", {"200", "304", "404"}),
        (JOB, "delete", {"204", "404", "409"}),
        (f"{JOB}/events", "get", {"200", "404", "429"}),
        (f"{JOB}/metrics", "get", {"200", "404", "429"}),
        (WEIGHTS, "get", {"200", "206", "304", "404", "409", "416"}),
    ],
)
def test_what_only_some_operations_answer(document: dict[str, Any], path: str, method: str, statuses: set[str]) -> None:
    answers = document["paths"][path][method]["responses"].keys()
    assert answers - ALWAYS - {"401", "507"} == statuses


def test_refusals_are_problems(document: dict[str, Any]) -> None:
    refusals = document["components"]["responses"]
    assert {name.removeprefix("Refused") for name in refusals} >= ALWAYS
    for name, refusal in refusals.items():
        (media,) = refusal["content"]
        assert media == "application/problem+json", name
        assert refusal["content"][media]["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert "Retry-After" in refusals["Refused503"]["headers"]
    assert refusals["Refused401"]["headers"]["WWW-Authenticate"]["required"]


def test_what_needs_a_key(document: dict[str, Any]) -> None:
    ((name, scheme),) = document["components"]["securitySchemes"].items()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation.get("security") == ([{name: []}] if path.startswith("/v1/") else None), path


@pytest.mark.parametrize(
    ("path", "media"),
    [
        (f"{JOB}/events", {"application/json", "text/event-stream"}),
        (f"{JOB}/logs", {"text/plain"}),
        (WEIGHTS, {"application/octet-stream"}),
        (WEIGHTS.replace("weights", "export"), {"application/octet-stream", "application/zip"}),
    ],
)
def test_what_is_not_json_says_so(document: dict[str, Any], path: str, media: set[str]) -> None:
    assert document["paths"][path]["get"]["responses"]["200"]["content"].keys() == media


def test_rows_to_predict_come_and_go_in_the_same_forms(document: dict[str, Any]) -> None:
    operation = document["paths"][f"{JOB}/predict"]["post"]
    files = {"text/csv", "text/tab-separated-values", "application/x-ndjson", "application/vnd.apache.parquet"}
    assert operation["requestBody"]["content"].keys() >= files | {"application/json", "multipart/form-data"}
    answer = operation["responses"]["200"]
    assert answer["content"].keys() == files | {"application/json"}
    assert "Athanor-Predictions" in answer["headers"]


def test_what_can_be_continued_says_with_which_headers(document: dict[str, Any]) -> None:
    answers = document["paths"][WEIGHTS]["get"]["responses"]
    assert answers["206"]["headers"].keys() >= {"ETag", "Repr-Digest", "Content-Range"}
    assert "ETag" in answers["304"]["headers"]


def test_a_method_that_is_not_allowed_is_told_all_that_are(shared: Installation, api: httpx.Client) -> None:
    allowed: dict[str, set[str]] = {}
    for method, path in kit.routes(shared.app):
        allowed.setdefault(path, set()).add(method)
    for path, methods in allowed.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - methods:
            answer = api.request(method, kit.filled(path))
            kit.problem(answer, 405, "method_not_allowed")
            assert answer.headers["Allow"] == ", ".join(sorted(methods)), (method, path)
