"""Predictions with a checkpoint of a job."""

import json
from pathlib import Path
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from api import row_files, submission
from api.deps import Parts, Service, missing
from api.openapi import Answers
from api.problems import Refused
from api.routes.checkpoints import find, take
from athanor.contract import Fault, Predictions, Rows
from athanor.files import WEIGHTS
from models.records import datasets
from models.serving.predictor_pool import Busy, Died, TooLarge
from models.serving.predictor_process import Order, Outcome

router = APIRouter(prefix="/jobs/{job_id}/predict", tags=["predictions"])

FILE = {"schema": {"type": "string", "format": "binary"}}
FORM = {
    "type": "object",
    "required": ["file"],
    "additionalProperties": False,
    "properties": {"file": {"type": "string", "format": "binary"}},
}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Rows.model_json_schema()},
            row_files.FORM: {"schema": FORM},
            **dict.fromkeys(row_files.SUFFIXES, FILE),
        },
    }
}
"""The body as documented. It is parsed where it is used, in a process of its own."""
ANSWERS: Answers = {
    200: {
        "description": "A prediction for each row, in the form in which the rows came.",
        "content": dict.fromkeys(row_files.MEDIA.values(), FILE),
        "headers": {
            row_files.REMARKS: {
                "description": "of a file: the rows, the warnings and the scores, as JSON (PredictedFile)",
                "schema": {"type": "string"},
            }
        },
    }
}


@router.post("", response_model=Predictions, openapi_extra=BODY, responses=ANSWERS)
async def create(
    request: Request,
    service: Parts,
    job_id: str,
    checkpoint: Annotated[str, Query(description="A checkpoint's id, `best` or `last`.")] = "best",
) -> Response:
    """Predict rows with a checkpoint. Rows are given as in the uploaded file; the job's preprocessing is applied.

    The answer has one prediction for each row: a label with probabilities, a value, tags, or text. `warnings` name
    values that were filled in or are unlike the training data. If rows have their target, `scores` has the metrics.

    Up to 1,000 rows come as JSON. Any number comes as a CSV, TSV, JSON Lines or Parquet file, as the body or in a form.
    The answer is then the same file with the columns of the prediction: `predicted_label` and `probability_…` of each
    class, `predicted_value`, `predicted_tags` or `predicted_text`. It begins when all rows are predicted: a file with a
    wrong row is refused, with the place of that row. The warnings and scores are in a header.
    """
    if row_files.is_file(request.headers.get("content-type", "")):
        return await row_files.predict(request, service, job_id, checkpoint)
    if service.predictions.available_tokens < 1:
        # Before the body is read: it would be kept while the request waits.
        raise _busy("all processes that predict are busy")
    body = await request.body()
    # In threads of its own, so that predictions never keep other requests waiting.
    outcome = await to_thread.run_sync(_ask, service, job_id, checkpoint, body, limiter=service.predictions)
    if outcome.status == "answered":
        return Response(outcome.content, media_type="application/json")
    # The pool has bounded all other content.
    content = json.loads(outcome.content)
    if outcome.status == "malformed":
        kind = request.headers.get("content-type", "")
        raise Refused(400, "malformed_json", f"the body is not JSON: {content}{row_files.instead(kind)}")
    faults = [Fault.model_validate(each) for each in ([content] if outcome.status == "refused" else content)]
    code = faults[0].code if outcome.status == "refused" else "invalid"
    raise Refused(422, code, f"{faults[0].pointer or 'the body'}: {faults[0].message}", faults)


def _ask(service: Service, job_id: str, wanted: str, body: bytes) -> Outcome:
    trained = submission.usable(service, job_id)
    try:
        return _predict(service, job_id, trained, wanted, body)
    except Refused as error:
        if error.status_code != 404:
            raise
        # A running job may have replaced the best or the last checkpoint in between.
        return _predict(service, job_id, trained, wanted, body)


def _predict(service: Service, job_id: str, trained: submission.Trained, wanted: str, body: bytes) -> Outcome:
    with service.database.reading() as tx:
        stored = find(tx, job_id, wanted)

    def load(folder: Path) -> Order:
        with service.database.reading() as tx:
            dataset = datasets.get(tx, trained.dataset_id)
        if dataset is None:
            raise missing("job", job_id)
        # By its id, so that the process has what its place in the pool says.
        taken = take(service, job_id, stored.id, folder)
        return Order(checkpoint_id=taken.id, resolved=trained.spec(), dataset_schema=dataset.schema_)

    try:
        return service.predictors.ask(stored.id, stored.file(WEIGHTS).bytes, load, body)
    except Busy as error:
        raise _busy(str(error)) from error
    except (TooLarge, Died) as error:
        raise Refused(422, "over_limit", str(error)) from error


def _busy(why: str) -> Refused:
    return Refused(503, "busy", f"{why}; send this again", headers={"Retry-After": "1"})
