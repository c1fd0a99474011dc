"""The input of an export: a checkpoint and its origin."""

from typing import Any

from pydantic import BaseModel

from athanor.contract import Checkpoint, Dataset, ExportFormat, Job
from models.planning.resolve import ResolvedSpec

ROWS = "rows.parquet"
"""The dataset, beside the weights and the preparation."""


class Order(BaseModel):
    format: ExportFormat
    job: Job
    resolved: ResolvedSpec
    checkpoint: Checkpoint
    dataset: Dataset
    fingerprint: dict[str, Any] | None
    """Of the machine that trained it."""
    bound: float
    """The largest accepted difference from the network's own outputs."""
