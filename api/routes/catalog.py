"""What can be asked for: every part with its schema, and the schema of a whole spec."""

from functools import cache
from typing import Any

from fastapi import APIRouter

from athanor.contract import Catalog
from models.parts.architecture import ARCHITECTURES
from models.parts.augmentation import AUGMENTATIONS
from models.parts.dataset import DATASETS
from models.parts.loss import LOSSES
from models.parts.metric import METRICS
from models.parts.optimizer import OPTIMIZERS
from models.parts.schedule import SCHEDULES
from models.parts.target import TARGETS
from models.planning.spec import JobSpec

router = APIRouter(tags=["catalog"])


@cache
def _catalog() -> Catalog:
    return Catalog(
        architectures=ARCHITECTURES.catalog(),
        losses=LOSSES.catalog(),
        optimizers=OPTIMIZERS.catalog(),
        schedules=SCHEDULES.catalog(),
        augmentations=AUGMENTATIONS.catalog(),
        targets=TARGETS.catalog(),
        metrics=METRICS.catalog(),
        datasets=DATASETS.catalog(),
    )


@router.get("/catalog")
def read() -> Catalog:
    """The parts of every shelf, each with its JSON Schema: architectures, losses, targets, metrics and more."""
    return _catalog()


@router.get("/schemas/job-spec")
def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a job spec."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **JobSpec.model_json_schema()}
