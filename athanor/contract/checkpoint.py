"""Checkpoints: the weights of a job at a step, with the digests of their files."""

from typing import Literal

from pydantic import Field

from athanor.contract.base import Answer


class CheckpointFile(Answer):
    name: str
    bytes: int
    sha256: str


class Checkpoint(Answer):
    id: str
    job_id: str
    step: int
    epoch: float
    fold: int | None = Field(None, description="cross-validation: the fold held out of this training, from 1")
    attempt: int
    reason: Literal["cadence", "best", "final", "stop"]
    score: float | None = Field(
        None, description="value of checkpoints.series at this step; null if not evaluated here"
    )
    bytes: int
    sha256: str = Field(description="of weights.safetensors")
    created_at: str
    files: list[CheckpointFile]
