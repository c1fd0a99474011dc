"""JSON that a stranger sent: bounded before it is built, and never read in two ways."""

import json
from typing import Any

from pydantic_core import from_json

SEPARATORS = b",:[{"


class MalformedJson(ValueError):
    """The text is not JSON, or its meaning is not certain. The message says why."""


class TooManyValues(ValueError):
    """The text has more values than the caller allows."""


def parse(text: bytes, most_values: int) -> Any:
    """The value of a JSON text in UTF-8. It has at most `most_values` values and keys, and limited depth.

    A key that is repeated in an object is refused, because readers differ in which value counts (RFC 8259, section 4),
    and so is half of a surrogate pair, which no text can hold. Raises MalformedJson, TooManyValues.
    """
    # A separator in a string counts too. What is refused by mistake has thousands of them.
    if sum(text.count(separator) for separator in SEPARATORS) > most_values:
        raise TooManyValues(f"the body has more than {most_values:,} values")
    try:
        value = from_json(text)
        json.loads(text, object_pairs_hook=_check_keys)
    except MalformedJson:
        raise
    except ValueError as error:
        raise MalformedJson(str(error)) from error
    return value


def _check_keys(pairs: list[tuple[str, Any]]) -> None:
    """Raises MalformedJson if a key is repeated. Nothing is kept."""
    if len(pairs) != len({name for name, _ in pairs}):
        seen = set[str]()
        name = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise MalformedJson(f"the key {name[:50]!r} is repeated in an object")
