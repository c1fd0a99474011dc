"""The base classes of the contract: answers of the service, and what a user writes."""

from collections.abc import Callable
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema


class Answer(BaseModel):
    """An answer of the service. Unknown fields are ignored, since later versions may add some; NaN is ``"NaN"``."""

    model_config = ConfigDict(extra="ignore", ser_json_inf_nan="strings", populate_by_name=True)


class Written(BaseModel):
    """What a user writes as JSON, with two rules for all fields of all subclasses.

    true and false are not numbers, although they are in Python. A field with a default that cannot be null says so,
    and not which type its value should have.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        at: Any = handler.resolve_ref_schema(schema)
        while at["type"] != "model-fields":
            if "schema" not in at:
                # A model that is still being defined.
                return schema
            at = at["schema"]
        for name, field in at["fields"].items():
            # The kind tells the members of a union apart; pydantic reads it from the schema as it is.
            if name != "kind":
                field["schema"] = _without_null(_with_strict_numbers(field["schema"]))
        return schema


def _not_a_bool(expected: Literal["int_type", "float_type"]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if isinstance(value, bool):
            raise PydanticKnownError(expected)
        return value

    return check


NUMBERS = {"int": _not_a_bool("int_type"), "float": _not_a_bool("float_type")}
INNER = ("schema", "items_schema", "values_schema", "choices")
"""Where a schema holds others."""
MODELS = ("model", "tagged-union")


def _with_strict_numbers(schema: Any) -> Any:
    """The schema of a field with every integer and float in it, also those in lists, refusing true and false."""
    if isinstance(schema, list):
        return [_with_strict_numbers(each) for each in schema]
    # The fields of a model inside have been here already.
    if not isinstance(schema, dict) or schema["type"] in MODELS or _calls(schema) in NUMBERS.values():
        return schema
    if check := NUMBERS.get(_type(schema)):
        return core_schema.no_info_before_validator_function(check, cast("CoreSchema", schema))
    return schema | {name: _with_strict_numbers(schema[name]) for name in INNER if name in schema}


def _type(schema: Any) -> str:
    """The type of a schema; a choice among whole numbers is one too, and Python finds true among 1 and 2."""
    if schema["type"] == "literal" and all(type(each) is int for each in schema["expected"]):
        return "int"
    return str(schema["type"])


def _calls(schema: Any) -> Any:
    """The validator that a schema adds to the one in it, if any. A schema may come here again in a subclass."""
    return schema.get("function", {}).get("function")


def _without_null(schema: Any) -> Any:
    """The schema of a field whose default stands where nothing is written, with its own error for null."""
    if schema["type"] != "default" or _calls(schema["schema"]) is _null_refused:
        return schema
    return {**schema, "schema": core_schema.no_info_wrap_validator_function(_null_refused, schema["schema"])}


def _null_refused(value: Any, validate: core_schema.ValidatorFunctionWrapHandler) -> Any:
    if value is not None:
        return validate(value)
    try:
        return validate(value)
    except ValidationError as error:
        raise PydanticCustomError("null", "cannot be null; leave it out for the default") from error


class Frozen(Written):
    """What a user writes. Unknown fields are refused, numbers are finite, and objects are immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Inherit the docstring: the JSON Schema of the server's narrower subclass keeps the description."""
        if cls.__doc__ is None and cls.__base__ not in (Frozen, Written) and cls.__base__ is not None:
            cls.__doc__ = cls.__base__.__doc__
