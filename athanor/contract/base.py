"""The base classes of the contract: answers of the service, and what a user writes."""

from collections.abc import Callable
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema


class Answer(BaseModel):
    """An answer of the service. Unknown fields are ignored, because later versions may add some. NaN is ``"NaN"``."""

    model_config = ConfigDict(extra="ignore", ser_json_inf_nan="strings", populate_by_name=True)


class Written(BaseModel):
    """What a user writes as JSON. All fields of all subclasses follow two rules.

    true and false are not numbers, although they are numbers in Python. If a field has a default and cannot be null,
    the error for null says this.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        at: Any = handler.resolve_ref_schema(schema)
        while at["type"] != "model-fields":
            if "schema" not in at:
                # The model is not fully defined yet.
                return schema
            at = at["schema"]
        for name, field in at["fields"].items():
            # `kind` is the discriminator of a union; pydantic reads it from the unchanged schema.
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
"""The keys of a core schema that hold other schemas."""
MODELS = ("model", "tagged-union")


def _with_strict_numbers(schema: Any) -> Any:
    """The schema of a field in which every integer and float, also in lists, refuses true and false."""
    if isinstance(schema, list):
        return [_with_strict_numbers(each) for each in schema]
    # A nested model is a subclass of Written, so its fields are done already.
    if not isinstance(schema, dict) or schema["type"] in MODELS or _calls(schema) in NUMBERS.values():
        return schema
    if check := NUMBERS.get(_type(schema)):
        return core_schema.no_info_before_validator_function(check, cast("CoreSchema", schema))
    return schema | {name: _with_strict_numbers(schema[name]) for name in INNER if name in schema}


def _type(schema: Any) -> str:
    """The type of a schema. A literal of integers counts as int, because Python finds True in [1, 2]."""
    if schema["type"] == "literal" and all(type(each) is int for each in schema["expected"]):
        return "int"
    return str(schema["type"])


def _calls(schema: Any) -> Any:
    """The function of a validator schema, or None. It shows whether a subclass gets a schema that is done already."""
    return schema.get("function", {}).get("function")


def _without_null(schema: Any) -> Any:
    """The schema of a field with a default, with an own error for null."""
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
        """Inherit the docstring, so that the JSON Schema of a subclass in the server has the description."""
        if cls.__doc__ is None and cls.__base__ not in (Frozen, Written) and cls.__base__ is not None:
            cls.__doc__ = cls.__base__.__doc__
