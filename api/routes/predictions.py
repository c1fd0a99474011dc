"""Predictions with a checkpoint of a job."""

import tempfile
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

from cachetools import LRUCache
from fastapi import APIRouter, Query, Response
from pydantic import Field

from api import submission
from api.deps import Parts, Service, missing
from api.routes.checkpoints import find, take
from athanor.contract import Generation, Predictions
from models.planning.resolve import ResolvedRoles
from models.records import datasets
from models.serving.prediction import MAX_ROWS, Predictor

router = APIRouter(prefix="/jobs/{job_id}/predict", tags=["predictions"])

_loaded: "LRUCache[str, Predictor]" = LRUCache(maxsize=4)
_lock = Lock()


class Rows(Generation):
    """Rows to predict. A row is an object of columns; if the job has one input column, its bare value is enough.

    An image is a nested list of pixel values, or a PNG, JPEG or WebP file in base64, with or without the prefix of a
    data: URL. A language model continues each row; all fields besides `rows` are for language models.
    """

    rows: list[Any] = Field(min_length=1, max_length=MAX_ROWS, description="The rows, at least one.")

    def generation(self) -> Generation:
        return Generation.model_validate(self.model_dump(include=self.model_fields_set - {"rows"}))


@router.post("", response_model=Predictions)
def create(
    service: Parts,
    job_id: str,
    asked: Rows,
    checkpoint: Annotated[str, Query(description="A checkpoint's id, `best` or `last`.")] = "best",
) -> Response:
    """Predict rows with a checkpoint. Rows are given as in the uploaded file; the job's preprocessing is applied.

    A row may contain the target column; it is ignored.
    The answer has one prediction for each row: a label with probabilities, a value, tags, or text.
    """
    trained = submission.usable(service, job_id)
    with service.database.reading() as tx:
        checkpoint_id = find(tx, job_id, checkpoint).id
    with _lock:
        predictor = _loaded.get(checkpoint_id)
        if predictor is None:
            checkpoint_id, predictor = _load(service, job_id, trained, checkpoint)
            _loaded[checkpoint_id] = predictor
    rows = _without_target(asked.rows, ResolvedRoles.model_validate(trained.resolved["roles"]))
    answer = Predictions(checkpoint_id=checkpoint_id, predictions=predictor.answer(rows, asked.generation()))
    # Serialize here, because FastAPI writes null for NaN and infinity in an untyped field.
    return Response(answer.model_dump_json(), media_type="application/json")


def _without_target(rows: list[Any], roles: ResolvedRoles) -> list[Any]:
    """The rows without the target column, unless it is also an input, like the text of a language model."""
    if any(roles.target in names for names in roles.inputs.values()):
        return rows
    return [
        {name: cell for name, cell in row.items() if name != roles.target} if isinstance(row, dict) else row
        for row in rows
    ]


def _load(service: Service, job_id: str, trained: submission.Trained, wanted: str) -> tuple[str, Predictor]:
    with service.database.reading() as tx:
        dataset = datasets.get(tx, trained.dataset_id)
    if dataset is None:
        raise missing("job", job_id)
    with tempfile.TemporaryDirectory(dir=service.settings.scratch) as folder:
        taken = take(service, job_id, wanted, Path(folder))
        return taken.id, Predictor.load(trained.spec(), dataset.schema_, Path(folder))
