"""Error answers as problem+json (RFC 9457), with JSON Pointers to the faults."""

import logging
import re
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from pydantic_core import ErrorDetails
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from athanor.contract import Fault, Problem
from athanor.processes import full_disk
from models.errors import SpecError, similar
from models.faults import fault, sentence
from models.records.database import DatabaseUnavailable
from models.records.idempotency import KeyReused
from models.records.jobs import InvalidTransition

logger = logging.getLogger(__name__)

MOST_FAULTS = 50
"""The largest number of faults in an answer: a body can have many thousands."""

SPECS = "/v1/jobs"
"""The path of requests whose body is a job spec."""
QUOTE = "'"
_ANY = "<column>"
"""Stands for the keys of an object that users choose, such as the columns of dataset.features."""
PROBLEM = "application/problem+json"


class Refused(HTTPException):
    """An error answer: `status`, `code` for programs, `detail` for people."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: list[Fault] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.code, self.errors = code, errors or []


def respond(
    request: Request,
    status: int,
    code: str,
    detail: str,
    errors: list[Fault] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        instance=request.url.path,
        request_id=getattr(request.state, "request_id", None),
        errors=errors or [],
    )
    answer = problem.model_dump(mode="json", exclude_none=True)
    # Starlette sends the answer to an unexpected error from outside the middleware that adds X-Request-Id.
    named = {"X-Request-Id": problem.request_id} if problem.request_id else {}
    return JSONResponse(answer, status, named | (headers or {}), media_type=PROBLEM)


def refuse(request: Request, refused: Refused) -> JSONResponse:
    headers = dict(refused.headers) if refused.headers else None
    return respond(request, refused.status_code, refused.code, refused.detail, refused.errors, headers)


def _fault(error: dict[str, Any], body: Any, is_spec: bool) -> Fault:
    where, *loc = error["loc"]
    if where != "body":
        # In the query, the pointer is the name of a parameter: "?limit".
        return Fault(pointer=f"?{'.'.join(map(str, loc))}", code=error["type"], message=sentence(error, loc))
    found = fault({**error, "loc": tuple(loc)}, body)
    at, suggestion = found.pointer, None
    if found.code == "union_tag_invalid":
        at += f"/{error['ctx']['discriminator'].strip(QUOTE)}"
        suggestion = _known_kind(error["ctx"]["tag"], error["ctx"]["expected_tags"])
    elif found.code == "union_tag_not_found" and is_spec:
        suggestion = _kinds(at)
    elif found.code == "extra_forbidden" and is_spec:
        parents = [part for part in at.strip("/").split("/")[:-1] if not part.isdecimal()]
        suggestion = _known_field(parents, [str(part) for part in loc])
    return found.model_copy(update={"pointer": at, "suggestion": suggestion})


def in_query(error: dict[str, Any], values: dict[str, Any]) -> Fault:
    """The fault of one pydantic error in a value of the query that is JSON: `?features/zip/kind`."""
    found = _fault({**error, "loc": ("body", *error["loc"])}, values, is_spec=False)
    if found.code == "union_tag_not_found":
        # Such a value stands in the dataset of a spec, too.
        found = found.model_copy(update={"suggestion": _kinds("/dataset" + found.pointer)})
    return found.model_copy(update={"pointer": "?" + found.pointer.removeprefix("/")})


def _kinds(pointer: str) -> str | None:
    """The kinds of the part of a spec at `pointer`, which does not say its own."""
    *above, last = pointer.strip("/").split("/")
    home = [part for part in above if not part.isdecimal()]
    places = {".".join(home if last.isdecimal() else [*home, last]), ".".join([*home, _ANY])}
    kinds = sorted(kind for there, kind in _fields()["kind"] if there in places and kind)
    return f"one of {', '.join(kinds)}" if kinds else None


def _known_kind(given: str, expected: str) -> str:
    kinds = [kind.strip(QUOTE) for kind in expected.split(", ")]
    close = similar(given, kinds)
    return f"did you mean '{close[0]}'?" if close else f"one of {', '.join(kinds)}"


def _known_field(parents: list[str], loc: list[str]) -> str | None:
    """A suggestion for an unknown field: the place of a field with this name, or a field with a similar name."""
    place, name, fields = ".".join(parents), loc[-1], _fields()
    if homes := fields.get(name):
        if kinds := sorted(kind for there, kind in homes if there == place and kind):
            return f"'{name}' is a field of {' and '.join(kinds)}"
        return f"'{name}' belongs in {' or '.join(sorted({there or 'the spec itself' for there, _ in homes}))}"
    # If the field is in a union, the tag of the union is before the field's name.
    mine = {(place, None), *[(place, tag) for tag in loc[-2:-1]]}
    here = [known for known, homes in fields.items() if mine & homes.keys()]
    # A word from the description of a field counts like a similar name.
    close = similar(name, here) or [
        known
        for known in here
        if any(name.lower() in fields[known][home].lower().split() for home in mine & fields[known].keys())
    ]
    if len(close) == 1:
        return f"did you mean '{close[0]}'?"
    close = similar(name, fields)
    own = sorted(known for known, homes in fields.items() if {(place, tag) for tag in loc[-2:-1]} & homes.keys())
    if own and (not close or any(there == place for there, _ in fields[close[0]])):
        # A similar name of another kind would lead from sgd to Adam.
        return f"{loc[-2]} has {', '.join(each for each in own if each != 'kind') or 'no fields'}"
    if close:
        homes = fields[close[0]]
        return (
            f"did you mean '{close[0]}' in {' or '.join(sorted({there or 'the spec itself' for there, _ in homes}))}?"
        )
    return None


@cache
def _fields() -> dict[str, dict[tuple[str, str | None], str]]:
    """The fields of a job spec by name: for each (path of the part, its kind or None), the description."""
    from models.planning.spec import JobSpec

    schema = JobSpec.model_json_schema()
    found: dict[str, dict[tuple[str, str | None], str]] = {}

    def walk(node: dict[str, Any], place: str) -> None:
        if "$ref" in node:
            walk(schema["$defs"][node["$ref"].rpartition("/")[2]], place)
        if "items" in node:
            walk(node["items"], place)
        if isinstance(values := node.get("additionalProperties"), dict):
            walk(values, f"{place}.{_ANY}".lstrip("."))
        for member in (*node.get("anyOf", ()), *node.get("oneOf", ())):
            walk(member, place)
        fields = node.get("properties", {})
        for name, field in fields.items():
            home = place, fields.get("kind", {}).get("const")
            # Settings of a column's feature are no places for a field that is misplaced elsewhere.
            if name == "kind" or _ANY not in place:
                found.setdefault(name, {})[home] = field.get("description", "")
            walk(field, f"{place}.{name}".lstrip("."))

    walk(schema, "")
    return found


def unauthorized() -> Refused:
    """The refusal (401) of a request without a valid key."""
    detail = "send a valid API key in the header Authorization: Bearer ath_…"
    return Refused(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})


def invalid_parameter(name: str, code: str, message: str, suggestion: str | None = None) -> Refused:
    """The refusal (422) of the value of a query parameter that FastAPI cannot check by its type."""
    found = Fault(pointer=f"?{name}", code=code, message=message, suggestion=suggestion)
    return Refused(422, "invalid", f"{found.pointer}: {message}", [found])


def invalid_spec(errors: list[ErrorDetails], spec: Any, place: str) -> Refused:
    """The refusal of a spec that is a part of the body, at the pointer `place`."""
    located = ({**each, "loc": ("body", *each["loc"])} for each in errors[:MOST_FAULTS])
    found = [_fault(each, spec, True) for each in located]
    faults = [each.model_copy(update={"pointer": place + each.pointer}) for each in found]
    return Refused(422, "invalid", f"{faults[0].pointer}: {faults[0].message}", faults)


def database_away(request: Request, error: Exception) -> JSONResponse:
    """The answer to DatabaseUnavailable: 503 with Retry-After, or 507 if the disk of the database is full."""
    if full_disk.is_to_blame(error):
        return storage_full(request, error)
    # `orig` is the driver's error, without the SQL statement. A timeout of the connection pool has no `orig`.
    logger.error("the database is away: %s", getattr(error, "orig", error))
    return respond(request, 503, "database_away", "the database does not answer", headers={"Retry-After": "2"})


def storage_full(request: Request, error: Exception) -> JSONResponse:
    logger.error("nothing can be stored: %s", getattr(error, "orig", error))
    detail = "the disk of the service is full, read-only or not there: have room made on it and send this again"
    return respond(request, 507, "storage_full", detail)


def _methods(app: FastAPI, path: str) -> set[str]:
    """The methods of every route at a path. Starlette's own `Allow` has those of the first."""
    return {method for pattern, methods in _patterns(app) if pattern.match(path) for method in methods}


@cache
def _patterns(app: FastAPI) -> list[tuple[re.Pattern[str], set[str]]]:
    """The path of every route as a pattern, and its methods."""
    routes = iter_route_contexts(app.routes)
    return [(compile_path(each.path)[0], set(each.methods or ())) for each in routes if each.path]


def install(app: FastAPI) -> None:
    """Answer every failure of `app` with a problem."""
    for away in DatabaseUnavailable:
        app.add_exception_handler(away, database_away)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()
        if any(each["type"] == "json_invalid" for each in found):
            why = found[0].get("ctx", {}).get("error", "")
            return respond(request, 400, "malformed_json", f"the body is not JSON: {why}")
        is_spec = request.url.path == SPECS
        faults = [_fault(each, error.body, is_spec) for each in found[:MOST_FAULTS]]
        detail = f"{faults[0].pointer or 'the body'}: {faults[0].message}"
        return respond(request, 422, "invalid", detail, faults)

    @app.exception_handler(SpecError)
    def _refused(request: Request, error: SpecError) -> JSONResponse:
        found = Fault(pointer=error.pointer, code=error.code, message=error.message, suggestion=error.suggestion)
        return respond(request, 422, error.code, f"{error.pointer}: {error.message}", [found])

    @app.exception_handler(InvalidTransition)
    def _forbidden(request: Request, error: InvalidTransition) -> JSONResponse:
        return respond(request, 409, "wrong_state", str(error))

    @app.exception_handler(KeyReused)
    def _reused(request: Request, error: KeyReused) -> JSONResponse:
        return respond(request, 422, "idempotency_key_reused", "this Idempotency-Key came with another body before")

    @app.exception_handler(OSError)
    def _unwritten(request: Request, error: OSError) -> JSONResponse:
        if not full_disk.is_to_blame(error):
            raise error
        return storage_full(request, error)

    @app.exception_handler(DataError)
    def _unstorable(request: Request, error: DataError) -> JSONResponse:
        return respond(request, 422, "invalid", f"a value cannot be stored: {error.orig}")

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        if isinstance(error, Refused):
            return refuse(request, error)
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(sorted(_methods(app, request.scope["path"])))
        code = HTTPStatus(error.status_code).name.lower()
        return respond(request, error.status_code, code, error.detail, headers=headers)

    @app.exception_handler(Exception)
    def _broken(request: Request, error: Exception) -> JSONResponse:
        # Starlette raises the error again and the server logs it with this note, so it is not logged here.
        named = getattr(request.state, "request_id", None)
        error.add_note(f"while answering {request.method} {request.url.path}, request_id {named}")
        return respond(request, 500, "internal", "the service failed; its log says why under this request_id")
