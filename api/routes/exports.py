"""Exports: checkpoints in other formats, made on request."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from api import builtin, submission
from api.deps import Parts, Service, missing
from api.downloads import BYTES, Conditional, Conditions, Download, answers, send
from api.routes.checkpoints import take
from athanor.contract import ExportFormat
from athanor.processes.left_behind import scratch_folder
from models.errors import SpecError
from models.records import attempts, datasets
from models.serving.exports import ROWS, Exported, Order, run

router = APIRouter(prefix="/jobs/{job_id}/checkpoints/{checkpoint_id}/export", tags=["checkpoints"])

PIECE = 2**20
ZIP = "application/zip"
GAP = {"Athanor-Max-Difference": {"description": "a bundle may have none", "schema": {"type": "number"}}}


@router.get("", response_class=StreamingResponse, responses=answers(BYTES, ZIP, **GAP))
@router.head("", include_in_schema=False)
async def read(
    request: Request,
    service: Parts,
    job_id: str,
    checkpoint_id: str,
    conditions: Conditional,
    format: Annotated[
        ExportFormat,
        Query(
            description="`onnx`: an ONNX model. `pt2`: a torch.export program. `bundle`: a zip of the weights, the "
            "ONNX model, the spec, golden rows and a model card."
        ),
    ] = "bundle",
) -> Response:
    """Export a checkpoint's network for use elsewhere, with its preprocessing, vocabulary and label map.

    The export is verified on real rows before it is sent. The header `Athanor-Max-Difference` holds the largest
    absolute difference of its outputs from the network's own. Each request makes a new export, which takes seconds;
    equal requests give equal bytes, so HEAD, Range and If-Range work as for weights.
    """
    return await to_thread.run_sync(
        _answer, request, service, job_id, checkpoint_id, conditions, format, limiter=service.exports
    )


def _answer(
    request: Request,
    service: Service,
    job_id: str,
    checkpoint_id: str,
    conditions: Conditions,
    format: ExportFormat,
) -> Response:
    with scratch_folder(service.settings.scratch) as folder:
        order, made = _export(service, job_id, checkpoint_id, format, folder)
        # An open file stays readable after its folder is deleted, so an aborted request leaves nothing behind.
        file = made.path.open("rb")

    def pieces(start: int, stop: int) -> Iterator[bytes]:
        with file:
            file.seek(start)
            while start < stop:
                piece = file.read(min(PIECE, stop - start))
                start += len(piece)
                yield piece

    download = Download(
        f"{job_id}-step-{order.checkpoint.step}{made.path.suffix}",
        file.seek(0, os.SEEK_END),
        made.sha256,
        pieces,
        ZIP if format == "bundle" else BYTES,
    )
    gap = made.max_difference
    answer = send(request, download, conditions, {} if gap is None else {"Athanor-Max-Difference": f"{gap:.9g}"})
    if not isinstance(answer, StreamingResponse):
        file.close()
    return answer


def _export(
    service: Service, job_id: str, checkpoint_id: str, format: ExportFormat, folder: Path
) -> tuple[Order, Exported]:
    resolved = submission.usable(service, job_id).spec()
    job, architecture = submission.job(service, job_id), resolved.spec.architecture
    if format not in architecture.exports:
        raise SpecError(
            "?format",
            f"{architecture.kind} cannot be exported as {format}",
            code="cannot_export",
            suggestion="format=" + " or ".join(sorted(architecture.exports)),
        )
    checkpoint = take(service, job_id, checkpoint_id, folder)
    with service.database.reading() as tx:
        dataset = datasets.get(tx, job.dataset_id)
        fingerprint = attempts.fingerprint(tx, job_id, checkpoint.attempt)
    if dataset is None:
        raise missing("job", job_id)
    builtin.fetch(service, dataset.id, folder / ROWS)
    limits = service.settings.limits
    order = Order(
        format=format,
        job=job,
        resolved=resolved,
        checkpoint=checkpoint,
        dataset=dataset,
        fingerprint=fingerprint,
        bound=limits.max_export_difference,
    )
    return order, run(order, folder, limits.max_export_memory_bytes, limits.export_seconds)
