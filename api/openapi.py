"""The OpenAPI document: adds to FastAPI's the key, and every refusal that an operation can answer with."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from api.problems import PROBLEM
from athanor.contract import Problem

GUARDED = "/v1"
"""Every path that begins like this needs a key."""
KEY = "key"
"""The name of the security scheme."""

SOON = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 0}}}
CHALLENGE = {"WWW-Authenticate": {"description": "`Bearer`", "required": True, "schema": {"const": "Bearer"}}}
SIZE = {"Content-Range": {"description": "`bytes */size`", "required": True, "schema": {"type": "string"}}}
TAG = {"ETag": {"description": "of this version", "required": True, "schema": {"type": "string"}}}
LOCATION = {"Location": {"description": "where it can be read", "schema": {"type": "string"}}}

Answers = dict[int | str, dict[str, Any]]
"""What a route declares in `responses`, by status."""
UNCHANGED: Answers = {304: {"description": "The caller's copy is current.", "headers": TAG}}

REFUSALS: dict[str, tuple[str, dict[str, Any]]] = {
    "400": ("The request is no HTTP, or its body no JSON or no form.", {}),
    "401": ("There is no such API key.", CHALLENGE),
    "404": ("There is no such thing.", {}),
    "408": ("The request arrived too slowly.", {}),
    "409": ("The state of the thing does not allow this.", {}),
    "413": ("The body is larger than a limit, which `detail` names.", {}),
    "414": ("The URL is too long.", {}),
    "416": ("The range lies outside the file.", SIZE),
    "422": ("A value cannot be accepted. `errors` has a pointer to each.", {}),
    "429": ("The key has too many streams and waiting requests.", SOON),
    "431": ("The headers are too long.", {}),
    "500": ("The service failed. Its log has the `request_id`.", {}),
    "503": ("The service or its database is busy or away. Send the request again.", SOON),
    "507": ("The disk of the service is full.", {}),
}
"""Of each status: when it is sent, and its headers."""

EVERYWHERE = ("400", "408", "413", "414", "422", "431", "500", "503")
"""What the front and the request limits answer, too. An unknown query parameter (422) is refused everywhere."""


class Documented(FastAPI):
    """An application whose document names every answer. Its routes declare what they answer when all is well."""

    def __init__(self, **more: Any) -> None:
        # FastAPI would add a 422 of its own form. `_complete` puts the statuses in the place of this range.
        super().__init__(responses={"4XX": {"model": Problem}}, **more)

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            _complete(super().openapi())
        assert self.openapi_schema is not None
        return self.openapi_schema


def _complete(document: dict[str, Any]) -> None:
    components = document["components"]
    components["securitySchemes"] = {
        KEY: {"type": "http", "scheme": "bearer", "bearerFormat": "ath_…", "description": "An API key of the service."}
    }
    components["responses"] = {f"Refused{status}": _refusal(status) for status in REFUSALS}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            del answers["4XX"]
            if path.startswith(GUARDED):
                operation["security"] = [{KEY: []}]
            for status in _refusals(path, method, operation):
                if status in answers:
                    answers[status]["content"] |= _refusal(status)["content"]
                else:
                    answers[status] = {"$ref": f"#/components/responses/Refused{status}"}
            operation["responses"] = dict(sorted(answers.items()))


def _refusal(status: str) -> dict[str, Any]:
    description, headers = REFUSALS[status]
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content} | ({"headers": headers} if headers else {})


def _refusals(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    """The statuses with which an operation refuses, as its path and its parameters tell."""
    parameters = {each["name"].lower() for each in operation.get("parameters", ())}
    yield from EVERYWHERE
    if path.startswith(GUARDED):
        yield from ("401", "507")
    if "{" in path:
        yield "404"
    # What changes a thing finds it in some state, and files and rows may be damaged.
    if method != "get" or parameters & {"range", "dataset_id"}:
        yield "409"
    if "range" in parameters:
        yield "416"
    if parameters & {"wait", "last-event-id"}:
        yield "429"
