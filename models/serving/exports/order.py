"""The input of an export: a checkpoint and its origin."""

from typing import Any

from pydantic import BaseModel

from athanor.contract import Checkpoint, Dataset, ExportFormat, Job
from models.planning.resolve import ResolvedSpec

ROWS = "rows.parquet"
"""The file with the rows of the dataset. It is in the same folder as the weights."""


class Order(BaseModel):
    format: ExportFormat
    job: Job
    resolved: ResolvedSpec
    checkpoint: Checkpoint
    dataset: Dataset
    fingerprint: dict[str, Any] | None
    """Describes the machine that trained the network."""
    bound: float
    """The largest accepted absolute difference from the network's own outputs."""
