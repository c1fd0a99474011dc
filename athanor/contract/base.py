"""The two bases of every shape on the wire: what the service says, and what a user writes."""

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """What the service says: fields may be added, so unknown ones are ignored; NaN travels as ``"NaN"``."""

    model_config = ConfigDict(extra="ignore", ser_json_inf_nan="strings", populate_by_name=True)


class Frozen(BaseModel):
    """What a user writes: unknown fields are refused, numbers are finite, nothing changes afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)
