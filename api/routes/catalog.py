"""The catalog: every part that a spec can name, and the JSON Schema of a whole spec."""

from functools import cache
from typing import Any

from fastapi import APIRouter

from athanor.contract import Catalog
from models.parts.shelves import SHELVES
from models.planning.spec import JobSpec

router = APIRouter(tags=["catalog"])


@cache
def _catalog() -> Catalog:
    return Catalog.model_validate({name: shelf.catalog() for name, shelf in SHELVES.items()})


@router.get("/catalog")
def read() -> Catalog:
    """List the parts that a spec can name, by shelf, each with its JSON Schema.

    Shelves are architectures, losses, optimizers, schedules, datasets, features, targets, splits and more.
    """
    return _catalog()


@router.get("/schemas/job-spec")
def schema() -> dict[str, Any]:
    """Read the JSON Schema (2020-12) of a job spec."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **JobSpec.model_json_schema()}
