"""Faults of a request: pydantic's errors with JSON Pointers, and in sentences about the request, not about Python."""

import json
from collections.abc import Sequence
from typing import Any

from athanor.contract import Fault

EXPECTED = {
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dict_type": "an object",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_type": "a string",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
LONGEST = 50
"""Characters of a value that a message repeats."""


def fault(error: dict[str, Any], body: Any) -> Fault:
    """The fault of one pydantic error. Its location is a place in `body`."""
    loc, kind = list(error["loc"]), error["type"]
    message = sentence(error, loc)
    if len(loc) > 1 and loc[-1] == "[key]" and error["input"] == loc[-2]:
        # The key is wrong, not its value, and a JSON Pointer cannot point to a key.
        message, loc = f"the key {str(loc[-2])[:50]!r}: {message}", loc[:-2]
    return Fault(pointer=_pointer(tuple(loc), body, missing=kind == "missing"), code=kind, message=message)


def sentence(error: dict[str, Any], loc: Sequence[int | str]) -> str:
    """A message for one pydantic error. `loc` is its location without the first item (body or query)."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind in EXPECTED:
        note = f", not {_shown(value)}" if value is None or isinstance(value, bool) else ""
        return f"should be {EXPECTED[kind]}{note}"
    if kind in BOUNDS:
        how, bound = BOUNDS[kind]
        return f"{_name(loc)} is {_shown(value)}; it must be {how} {_number(context[bound])}"
    match kind:
        case "too_short":
            return f"{_name(loc)} has {len(value):,} entries; it must have at least {context['min_length']:,}"
        case "too_long":
            return f"{_name(loc)} has {len(value):,} entries; it must have at most {context['max_length']:,}"
        case "string_too_short":
            return f"{len(value):,} characters; there must be at least {context['min_length']:,}"
        case "string_too_long":
            return f"{len(value):,} characters; there must be at most {context['max_length']:,}"
        case "literal_error" | "enum":
            return f"{_name(loc)} is {_shown(value)}; it must be {context['expected']}"
        case "missing":
            return f"{_name(loc)} is missing"
        case "extra_forbidden":
            return f"there is no field {_quoted(loc[-1])} here"
        case "union_tag_invalid":
            return f"there is no {_quoted(context['tag'])}"
        case "union_tag_not_found":
            return f"{context['discriminator'].strip(chr(39))} is missing"
    return str(error["msg"]).removeprefix("Value error, ")


def _name(loc: Sequence[int | str]) -> str:
    """The name of a field; an entry of a list also has its index: `widths[2]`."""
    if not loc:
        return "the body"
    last = loc[-1]
    return f"{_name(loc[:-1])}[{last}]" if isinstance(last, int) else str(last)[:LONGEST]


def _quoted(name: object) -> str:
    return f"'{str(name)[:LONGEST]}'"


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _number(bound: float) -> str:
    whole = int(bound) == bound and abs(bound) < 1e15
    return f"{int(bound):,}" if whole else f"{bound:g}"


def _pointer(loc: tuple[int | str, ...], body: Any, *, missing: bool = False) -> str:
    """The JSON Pointer of a pydantic location, without the names of the members of a union.

    `missing`: the last part of the location is a field that the body does not have.
    """
    parts, here = [], body
    for at, part in enumerate(loc):
        is_last = at == len(loc) - 1
        if isinstance(here, dict) and part not in here and not (missing and is_last):
            # The kind of a part, also where the body leaves it out, or pydantic's name for a type.
            continue
        if not isinstance(here, dict) and not (isinstance(here, list) and isinstance(part, int)):
            # pydantic's name for a type: a value has no members.
            continue
        parts.append(str(part).replace("~", "~0").replace("/", "~1"))
        if isinstance(here, dict):
            here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        else:
            here = None
    return "".join(f"/{part}" for part in parts)
