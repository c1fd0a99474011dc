"""Gradient descent: its rule, and its batch."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from athanor.contract import MAX_BATCH
from models.data.table import Table
from models.errors import SpecError
from models.parts.architectures.linear import Linear
from models.parts.optimizers.gd import GD
from models.planning.resolve import resolve
from models.planning.spec import JobSpec
from models.settings import Limits
from tests import small
from tests.models.parts.optimizers.steps import Array, assert_follows
from worker.training.loop import fit


def _spec(**chosen: Any) -> JobSpec:
    chosen = {"optimizer": {"kind": "gd"}, **chosen}
    return JobSpec.model_validate(
        {"architecture": {"kind": "linear"}, "dataset": {"id": "x"}, "hyperparameters": chosen}
    )


@pytest.fixture
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return small.table("vector", tmp_path_factory.mktemp("gd") / "t")


@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
def test_steps(weight_decay: float) -> None:
    def rule(weights: Array, gradient: Array) -> Array:
        return weights - 0.3 * (gradient + weight_decay * weights)

    assert_follows(GD(lr=0.3, weight_decay=weight_decay), rule)


@pytest.mark.parametrize("batch_size", [None, 1, 7])
def test_the_batch_is_the_whole_training_part(batch_size: int | None, table: Table) -> None:
    spec = _spec(batch_size=batch_size, epochs=9)
    resolved = resolve(spec, table.schema, table.rows)
    assert resolved.spec.hyperparameters.batch_size == MAX_BATCH
    again = resolve(resolved.spec, table.schema, table.rows)
    # What was said is no guess any more.
    assert again.model_copy(update={"columns": []}) == resolved.model_copy(update={"columns": []})
    plan = small.planned(spec, table.schema, table.rows, Limits())
    assert (plan.steps_per_epoch, plan.steps) == (1, 9)
    whole = small.planned(_spec(optimizer={"kind": "sgd", "momentum": 0.0}, batch_size=32), table.schema, 40, Limits())
    assert plan.memory_bytes == whole.memory_bytes


def test_more_rows_than_a_batch_holds_are_refused(table: Table) -> None:
    with pytest.raises(SpecError, match="1,000,000") as refused:
        small.planned(_spec(), table.schema, 2 * MAX_BATCH, Limits(max_memory_bytes=10**12))
    assert (refused.value.pointer, refused.value.code) == ("/hyperparameters/optimizer/kind", "over_limit")


def test_memory_is_not_blamed_on_a_batch_size_that_counts_for_nothing(table: Table) -> None:
    with pytest.raises(SpecError) as refused:
        small.planned(_spec(), table.schema, table.rows, Limits(max_memory_bytes=1000))
    assert refused.value.pointer == "/hyperparameters/optimizer/kind"
    assert refused.value.suggestion is not None and "sgd" in refused.value.suggestion


def test_a_run_descends_the_whole_loss() -> None:
    x_NF, t_N = small.problem("vector")
    learner = small.learner(Linear(), GD(lr=0.5), "vector", steps=5, batch_size=MAX_BATCH)
    weights = [value.detach().numpy().astype(np.float64) for value in learner.model.parameters()]
    onehot_NK = F.one_hot(t_N, small.CLASSES).numpy()
    for step in fit(learner, (x_NF, t_N), None):
        y_NK = x_NF.numpy() @ weights[0].T + weights[1]
        p_NK = np.exp(y_NK) / np.exp(y_NK).sum(1, keepdims=True)
        assert step.series["train/loss"] == pytest.approx(-np.log(p_NK[onehot_NK == 1]).mean(), rel=1e-4)
        errors_NK = (p_NK - onehot_NK) / len(t_N)
        weights = [weights[0] - 0.5 * errors_NK.T @ x_NF.numpy(), weights[1] - 0.5 * errors_NK.sum(0)]
    for value, expected in zip(learner.model.parameters(), weights, strict=True):
        torch.testing.assert_close(value.detach(), torch.from_numpy(expected).float(), rtol=1e-4, atol=1e-6)
