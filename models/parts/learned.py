"""What a part learns from the training rows before the first step. It travels with the checkpoint as JSON."""

from pydantic import BaseModel, ConfigDict


class Learned(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
