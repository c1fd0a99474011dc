"""State that a part learns from the training rows before the first step. The checkpoint stores it as JSON."""

from pydantic import BaseModel, ConfigDict


class Learned(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
