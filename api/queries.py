"""Query parameters: refuse unknown names, and several values for a parameter that takes one."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api.problems import MOST_FAULTS, Refused
from athanor.contract import Fault
from models.errors import similar

LONGEST = 50
"""Characters of a name that a message repeats."""


async def check(request: Request) -> None:
    """Raises Refused (422) if the route does not have a query parameter, or if one that takes one value is repeated.

    The application makes every route depend on it. It is async, because FastAPI would run it in a thread otherwise.
    """
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute):
        return
    known = dict(_parameters(route.dependant))
    faults = [
        fault
        for name in dict.fromkeys(request.query_params)
        if (fault := _fault(name, len(request.query_params.getlist(name)), known))
    ]
    if faults:
        raise Refused(422, "invalid", f"{faults[0].pointer}: {faults[0].message}", faults[:MOST_FAULTS])


def _fault(name: str, times: int, known: dict[str, bool]) -> Fault | None:
    shown = name[:LONGEST]
    if name not in known:
        close = similar(name, known)
        names = f"use one of: {', '.join(sorted(known))}" if known else "this path has no parameters"
        suggestion = f"did you mean '{close[0]}'?" if close else names
        message = f"there is no parameter '{shown}' here"
        return Fault(pointer=f"?{shown}", code="unknown_parameter", message=message, suggestion=suggestion)
    if times > 1 and not known[name]:
        message = f"{shown} is given {times:,} times; give it once"
        return Fault(pointer=f"?{shown}", code="repeated_parameter", message=message)
    return None


def _parameters(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """Yield (name, whether it may be repeated) for the query parameters of a route and its dependencies."""
    for field in dependant.query_params:
        yield field.alias, _is_list(field.field_info.annotation)
    for each in dependant.dependencies:
        yield from _parameters(each)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(_is_list(member) for member in get_args(annotation))
