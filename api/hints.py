"""Hints of an upload, from the query."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from pydantic import ValidationError

from api.problems import MOST_FAULTS, Refused, in_query
from athanor.contract import Fault, Hints, NamedEncoding
from models.data.intake import ReadHints
from models.json_body import MalformedJson, TooManyValues, parse

LONGEST = 4_000
"""Characters of the features. An address has 8,192 bytes at most, and `dataset.features` of a spec has more room."""
MOST_VALUES = 10_000


def _described(name: str) -> str | None:
    return Hints.model_fields[name].description


def _hints(
    encoding: Annotated[
        NamedEncoding | None,
        Query(description=_described("encoding")),
    ] = None,
    delimiter: Annotated[str | None, Query(min_length=1, max_length=1, description=_described("delimiter"))] = None,
    header: Annotated[bool | None, Query(description=_described("header"))] = None,
    decimal: Annotated[Literal[".", ","] | None, Query(description=_described("decimal"))] = None,
    features: Annotated[
        str | None,
        Query(
            max_length=LONGEST,
            description='How columns are read, as JSON: `{"zip": {"kind": "category"}}`. The features of the catalog '
            "by the names of the columns.",
        ),
    ] = None,
) -> ReadHints:
    """Raises Refused (422) for features that are no JSON, or that are not on the shelf."""
    given: dict[str, Any] = {"encoding": encoding, "delimiter": delimiter, "header": header, "decimal": decimal}
    given["features"] = _parsed(features) if features else {}
    try:
        return ReadHints.model_validate(given)
    except ValidationError as error:
        faults = [in_query(dict(each), given) for each in error.errors()[:MOST_FAULTS]]
        raise Refused(422, "invalid", f"{faults[0].pointer}: {faults[0].message}", faults) from error


def _parsed(features: str) -> Any:
    try:
        return parse(features.encode(), MOST_VALUES)
    except (MalformedJson, TooManyValues, UnicodeEncodeError) as error:
        found = Fault(
            pointer="?features",
            code="malformed_json",
            message=f"is not JSON ({error})",
            suggestion='write an object, such as {"zip": {"kind": "category"}}',
        )
        raise Refused(422, "invalid", f"?features: {found.message}", [found]) from error


GivenHints = Annotated[ReadHints, Depends(_hints)]
