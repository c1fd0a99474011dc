"""A table, divided and encoded."""

from pathlib import Path

import pytest
import torch

from models.data.preparation.choice import DatasetChoice
from models.data.preparation.examples import Preparation, prepare
from models.data.preparation.roles import assign
from models.data.preparation.split import divide
from models.parts.architecture import Architecture, InputKind
from models.parts.architectures.cnn import CNN
from models.parts.architectures.linear import Linear
from models.parts.architectures.textcnn import TextCNN
from models.parts.inputs import only
from models.parts.splits.holdout import Holdout
from tests import small

FITTING: dict[InputKind, Architecture] = {"vector": Linear(), "image": CNN(), "text": TextCNN()}


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("kind", FITTING)
def test_parts_and_round_trip(kind: InputKind, task: str, tmp_path: Path) -> None:
    table = small.table(kind, tmp_path / "t", task=task)
    roles = assign(DatasetChoice(id="x"), table.schema, FITTING[kind])
    assert roles.task == task
    prepared = prepare(table, roles, Holdout())
    assert (len(prepared.train), len(prepared.val), len(prepared.test)) == (32, 4, 4)
    again = Preparation.model_validate_json(prepared.preparation.model_dump_json())
    assert again == prepared.preparation
    assert type(again.encoder) is type(prepared.preparation.encoder)
    division = divide(Holdout(), table, roles)
    for rows, part in ((division.train, prepared.train), (division.val, prepared.val), (division.test, prepared.test)):
        assert torch.equal(small.single(again.encoder.encode(table))[torch.from_numpy(rows)], small.single(part.x))
        assert torch.equal(again.target.encode(table, rows), part.t)
        assert small.single(part.to(torch.device("cpu")).x).shape[1:] == only(again.named_inputs()).shape
    assert small.single(prepared.train.x).dtype == (torch.int64 if kind == "text" else torch.float32)
