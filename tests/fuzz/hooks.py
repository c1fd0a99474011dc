"""What schemathesis calls: right requests about what the service has, and a check of ours. Its configuration names it.

A document cannot say which columns a dataset has. So some bodies that fit the document are made to fit the data too.
"""

import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any, get_args

import schemathesis
from pydantic_core.core_schema import ErrorType
from schemathesis import Case, CheckContext, HookContext, Response
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

IDS = Path("ids.json")
"""In the working folder: an id for each path parameter."""
SPEC: dict[str, Any] = {"architecture": {"kind": "linear"}, "dataset": {"id": "iris"}}
ROW: dict[str, Any] = {f"{part} {size} (cm)": 1.5 for part in ("sepal", "petal") for size in ("length", "width")}
ONE_IN = 4
FORM = {*get_args(ErrorType)} - {"value_error", "assertion_error"}
"""Codes of faults that a JSON Schema can express."""


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    if case.meta is None:
        return
    # The dictionaries of ids are for the fuzzing phase. What exists is not to be deleted, and exports take seconds.
    is_covering = case.meta.phase.name is TestPhase.COVERAGE
    is_spared = case.method == "DELETE" or case.operation.path.endswith("/export")
    if is_covering and not is_spared and not case.meta.is_negative_at(ParameterLocation.PATH):
        case.path_parameters = {name: _ids().get(name, value) for name, value in case.path_parameters.items()}
    if case.meta.generation.mode.is_positive and zlib.crc32(repr(case.body).encode()) % ONE_IN == 0:
        match case.operation.label:
            case "POST /v1/jobs":
                case.body = {**case.body, **SPEC} if isinstance(case.body, dict) else SPEC
            case "POST /v1/jobs/{job_id}/predict" if case.media_type == "application/json":
                case.body = {"rows": [ROW]}


@schemathesis.check
def right_form_is_accepted(ctx: CheckContext, response: Response, case: Case[Any]) -> bool | None:
    """A spec that fits the document may be refused for its meaning, but not for its form."""
    is_right = case.meta is not None and case.meta.generation.mode.is_positive
    if case.operation.label == "POST /v1/jobs" and is_right and response.status_code == 422:
        codes = {each["code"] for each in json.loads(response.content)["errors"]}
        assert not codes & FORM, f"the document allows what is refused with {codes & FORM}"
    return None


@cache
def _ids() -> dict[str, str]:
    found: dict[str, str] = json.loads(IDS.read_text())
    return found
