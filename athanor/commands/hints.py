"""Hints of an upload, from the options of the command line."""

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from athanor.contract import Hints

SPOKEN = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " ", "pipe": "|"}
"""Delimiters that a shell would need quotes for, by names for them."""


def read(
    encoding: str | None, delimiter: str | None, header: bool | None, decimal: str | None, features: tuple[str, ...]
) -> "Hints":
    """Raises click.UsageError."""
    from pydantic import ValidationError

    from athanor.contract import Hints

    parts: dict[str, Any] = {}
    for said in features:
        parts |= _features(said)
    given = {"encoding": encoding, "delimiter": SPOKEN.get(delimiter or "", delimiter), "header": header}
    try:
        return Hints.model_validate({**given, "decimal": decimal, "features": parts})
    except ValidationError as error:
        first = error.errors()[0]
        option, *_ = (str(each) for each in first["loc"])
        raise click.UsageError(f"--{option.removesuffix('s')} {first['input']}: {first['msg']}") from error


def _features(said: str) -> dict[str, Any]:
    """The features by column, of `zip=category`, `day=date,format=%d.%m.%Y`, `day={…}` or `{"day": {…}}`."""
    if said.startswith("{"):
        return _object(said, said)
    column, equals, rest = said.partition("=")
    if not equals or not column or not rest:
        raise click.UsageError(f"--feature {said}: write COLUMN=KIND, such as zip=category")
    if rest.startswith("{"):
        return {column: _object(rest, said)}
    kind, *settings = rest.split(",")
    part: dict[str, Any] = {"kind": kind}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--feature {said}: after the kind, write NAME=VALUE, or give all of it as JSON")
        try:
            part[name] = json.loads(value)
        except ValueError:
            part[name] = value
    return {column: part}


def _object(text: str, said: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"--feature {said}: this is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise click.UsageError(f'--feature {said}: write an object, such as {{"kind": "category"}}')
    return found
