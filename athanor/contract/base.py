"""The two base classes of the contract: answers of the service, and what a user writes."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """An answer of the service. Unknown fields are ignored, since later versions may add some; NaN is ``"NaN"``."""

    model_config = ConfigDict(extra="ignore", ser_json_inf_nan="strings", populate_by_name=True)


class Frozen(BaseModel):
    """What a user writes. Unknown fields are refused, numbers are finite, and objects are immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Inherit the docstring: the JSON Schema of the server's narrower subclass keeps the description."""
        if cls.__doc__ is None and cls.__base__ is not Frozen and cls.__base__ is not None:
            cls.__doc__ = cls.__base__.__doc__
