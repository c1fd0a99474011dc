"""What every piece of a preparation is: learned once from the training rows, then kept as JSON."""

from pydantic import BaseModel, ConfigDict


class Learned(BaseModel):
    model_config = ConfigDict(frozen=True)
