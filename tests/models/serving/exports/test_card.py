"""What a model card claims of its numbers."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from athanor.contract import Checkpoint, Dataset, Job, Origin
from models.planning.spec import JobSpec
from models.serving.cells import Reader
from models.serving.exports import card
from models.serving.exports.order import Order
from models.serving.prediction import Predictor
from tests import small


def _made(kind: type[BaseModel], **said: Any) -> Any:
    """No more of it than the card needs."""
    return kind.model_construct(**said)


def _card(folder: Path, origin: Origin | None, fold: int | None) -> str:
    table = small.table("vector", folder / "t")
    said = {"architecture": {"kind": "linear"}, "dataset": {"id": "x"}}
    resolved, prepared = small.resolve_and_prepare(JobSpec.model_validate(said), table)
    preparation, columns = prepared.preparation, resolved.roles_in(table.schema).inputs
    predictor = Predictor(
        resolved.spec.architecture.build_for(preparation.named_inputs(), 3), preparation, Reader(columns)
    )
    order = _made(
        Order,
        job=_made(Job, id="job_b", name=None, spec=said, latest={}, best={}, origin=origin),
        resolved=resolved,
        checkpoint=_made(Checkpoint, id="ck_1", step=5, epoch=1.0, fold=fold),
        dataset=_made(Dataset, name="x", format="csv", rows=40, sha256="0" * 64),
    )
    return card.write(order, predictor, None, {"trained": None, "exported": {"athanor": "0"}})


@pytest.mark.parametrize("fold", [None, 2])
@pytest.mark.parametrize("forked", [False, True])
def test_rows_of_the_test_are_new_to_the_job_alone(forked: bool, fold: int | None, tmp_path: Path) -> None:
    """A fork cannot tell what its parent learned from."""
    origin = Origin(job_id="job_a", checkpoint_id="ck_0", step=3) if forked else None
    written = _card(tmp_path, origin, fold)
    assert "This job did not use the rows of `test/*` for training or for choosing a checkpoint." in written
    assert ("It started from weights of job `job_a`, which may have seen them." in written) == forked
    assert ("These weights have not seen fold 2" in written) == (fold == 2)
