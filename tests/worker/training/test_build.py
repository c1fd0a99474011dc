"""What `build` makes of a spec and its data."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F

from models.data.preparation.examples import Prepared
from models.data.preparation.split import divide
from models.data.table import Table
from models.parts.augmentations.mixup import Mixup
from models.parts.augmentations.noise import Noise
from models.parts.metric import Meaning
from models.parts.metrics.f1 import F1
from models.parts.schedule import ReduceOnPlateau
from models.planning.spec import JobSpec
from tests import small
from worker.training.batch import AugmentedBatches
from worker.training.build import build
from worker.training.learner import TrainingConfig
from worker.training.loop import fit
from worker.training.stages.averaging import Averaging
from worker.training.stages.clipping import Clipping
from worker.training.stages.regularization import Regularization


def _made(table: Table, **chosen: Any) -> tuple[TrainingConfig, Prepared]:
    said = {"architecture": {"kind": "linear"}, "dataset": {"id": "x"}, "hyperparameters": chosen}
    resolved, prepared = small.resolve_and_prepare(JobSpec.model_validate(said), table)
    return build(resolved.spec, prepared).config, prepared


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return small.table("vector", tmp_path / "t")


@pytest.mark.parametrize("kind", ["cross_entropy", "focal"])
def test_class_weights_follow_from_the_training_part(kind: str, tmp_path: Path) -> None:
    labels = ["common"] * 30 + ["rare"] * 10
    columns = {"x": pa.array([float(at) for at in range(40)]), "target": pa.array(labels)}
    table = small.ingested(tmp_path / "t", columns)
    weighted, prepared = _made(table, loss={"kind": kind, "class_weights": "balanced"})
    plain, _ = _made(table, loss={"kind": kind})
    rows = torch.bincount(prepared.train.t)
    assert rows.tolist() == [24, 8]
    y_1K = torch.tensor([[0.3, -0.2]])
    for number in (0, 1):
        t_1 = torch.tensor([number])
        assert float(weighted.forward.criterion(y_1K, t_1)) == pytest.approx(
            float(plain.forward.criterion(y_1K, t_1)) * 32 / (2 * int(rows[number]))
        )


@pytest.mark.parametrize("task", ["tagging", "language_modeling"])
def test_where_every_word_has_a_class_words_are_weighed(task: str, tmp_path: Path) -> None:
    """By scikit-learn's weights. Sentences are of unlike lengths: what pads them counts for nothing."""
    if task == "tagging":
        tags = [["O"] * (1 + at % 5) + ["B-place"] * (at % 3) for at in range(40)]
        columns = {"words": [["rome"] * len(each) for each in tags], "tags": tags}
        table = small.ingested(tmp_path / "t", columns, target="tags")
        architecture, dataset = "rnn", {"id": "x"}
    else:
        table = small.ingested(tmp_path / "t", {"text": [f"{'ab' * (at % 4)}c{at}" for at in range(40)]}, target=None)
        architecture, dataset = "neural_ngram", {"id": "x", "documents": "lines"}
    loss = {"kind": "cross_entropy", "class_weights": "balanced"}
    said = {"architecture": {"kind": architecture}, "dataset": dataset, "hyperparameters": {"loss": loss}}
    resolved, prepared = small.resolve_and_prepare(JobSpec.model_validate(said), table)
    assert resolved.spec.dataset.task == task
    criterion = build(resolved.spec, prepared).config.forward.criterion
    t_NT = prepared.train.t
    assert (t_NT == -1).any()
    seen, classes = t_NT[t_NT >= 0].numpy(), prepared.preparation.target.outputs
    numbers = np.unique(seen)
    # scikit-learn knows of no class that does not occur, and padding and the unknown do not.
    weights = compute_class_weight("balanced", classes=numbers, y=seen) * len(numbers) / classes
    for number, weight in zip(numbers.tolist(), weights, strict=True):
        y_1TK = torch.randn(1, 2, classes)
        expected = weight * float(F.cross_entropy(y_1TK[0, :1], torch.tensor([number])))
        assert float(criterion(y_1TK, torch.tensor([[number, -1]]))) == pytest.approx(expected, rel=1e-5)


def test_gradient_descent_has_one_step_an_epoch(table: Table) -> None:
    config, prepared = _made(table, optimizer={"kind": "gd"}, epochs=4, batch_size=5)
    assert (config.batching.steps, config.batching.steps_per_epoch) == (4, 1)
    assert config.batching.batch_size == len(prepared.train)


def test_a_plateau_watches_what_is_best(table: Table) -> None:
    said = {"kind": "plateau", "gamma": 0.3, "patience": 2, "threshold": 0.5, "min": 0.1}
    progress = _made(table, schedule=said)[0].progress
    assert (progress.series, progress.mode) == ("val/loss", "min")
    assert progress.plateau == ReduceOnPlateau(factor=0.3, patience=2, threshold=0.5, least=0.1)
    assert _made(table, schedule={"kind": "cosine"})[0].progress.plateau is None


def test_augmentations_are_for_training_batches(table: Table) -> None:
    config, prepared = _made(table, augmentations=[{"kind": "noise", "std": 0.5}, {"kind": "mixup"}], seed=3)
    augment = config.batching.augment
    assert augment is not None
    rows_B, part = torch.arange(8), prepared.train
    batch = augment(part.part(), rows_B, 2)
    views = AugmentedBatches([Noise(std=0.5), Mixup()], prepared.preparation.named_inputs(), 3)
    x_B, expected_B = small.single(batch.x), small.single(views(part.part(), rows_B, 2).x)
    assert torch.equal(x_B, expected_B) and not torch.equal(x_B, small.single(part.x)[:8])
    assert _made(table)[0].batching.augment is None


def test_every_term_reaches_the_learner(table: Table) -> None:
    chosen = {
        "optimizer": {"kind": "adamw", "weight_decay": 0.3},
        "clip_value": 0.25,
        "l1": 0.125,
        "decay_biases": False,
        "max_norm": 3.0,
        "init": "orthogonal",
        "swa": {"start": 0.5},
    }
    architecture = {"kind": "mlp", "hidden": [6]}
    said = {"architecture": architecture, "dataset": {"id": "x"}, "hyperparameters": chosen}
    resolved, prepared = small.resolve_and_prepare(JobSpec.model_validate(said), table)
    learner = build(resolved.spec, prepared)
    config = learner.config
    assert config.clipping == Clipping(norm=None, value=0.25)
    assert config.regularization == Regularization(l1=0.125, max_norm=3.0)
    assert config.averaging == Averaging(ema=None, swa=0.5)
    assert learner.average is None and len(learner.readout) == 1
    assert [group["weight_decay"] for group in learner.optimizer.param_groups] == [0.3, 0.0]
    first = learner.model.state_dict()["fc1.weight"]
    few = first if len(first) <= first.shape[1] else first.T
    torch.testing.assert_close(few @ few.T, torch.eye(len(few)), atol=1e-5, rtol=0)


def test_entities_are_counted_in_evaluations_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [[small.WORDS[at % 5], small.WORDS[at % 7]] for at in range(40)]
    tags = [["O", "B-metal" if at % 7 == 3 else "O"] for at in range(40)]
    table = small.ingested(tmp_path / "t", {"words": pa.array(words), "target": pa.array(tags)})
    said = {"architecture": {"kind": "rnn", "hidden": 4, "embedding": 4}, "dataset": {"id": "x"}}
    spec = JobSpec.model_validate({**said, "hyperparameters": {"epochs": 2}})
    resolved, prepared = small.resolve_and_prepare(spec, table)
    learner = build(resolved.spec, prepared)
    assert learner.config.batching.steps == 4
    calls = []

    def counted(self: F1, y: torch.Tensor, t: torch.Tensor, meaning: Meaning) -> list[float]:
        calls.append(t)
        return [4.0, 4.0, 1.0]

    monkeypatch.setattr(F1, "count", counted)
    steps = list(fit(learner, (prepared.train.x, prepared.train.t), (prepared.val.x, prepared.val.t)))
    assert ["train/accuracy" in step.series for step in steps] == [True] * 4
    assert [step.series.get("val/f1") for step in steps] == [None, 0.25, None, 0.25]
    assert len(calls) == 2


@pytest.mark.parametrize("unit", [1e-30, 1.0, 1e308])
def test_the_unit_of_weights_does_not_count(unit: float, tmp_path: Path) -> None:
    a_N = np.random.default_rng(0).normal(size=30)
    columns = {"a": a_N, "count": np.where(np.arange(30) % 2, unit, 0), "target": 2 * a_N}
    table = small.ingested(tmp_path / "t", {name: pa.array(column) for name, column in columns.items()})
    split = {"kind": "holdout", "val": 0, "test": 0}
    said = {"architecture": {"kind": "linear"}, "dataset": {"id": "x", "weight": "count", "split": split}}
    _, prepared = small.resolve_and_prepare(JobSpec.model_validate(said), table)
    assert prepared.train.w is not None and prepared.train.w.tolist() == [0, 2] * 15


def test_row_weights_lead_to_weighted_least_squares(tmp_path: Path) -> None:
    """The solution of the normal equations (X'WX) b = X'Wy, whatever the unit of the weights."""
    draws = np.random.default_rng(0)
    x_N2, w_N = draws.normal(size=(60, 2)), draws.choice([0.0, 500.0, 4000.0], 60)
    y_N = x_N2 @ [1.0, -2.0] + np.where(w_N > 1000, 3.0, -3.0) + draws.normal(size=60) / 10
    columns = {"a": x_N2[:, 0], "b": x_N2[:, 1], "count": w_N, "target": y_N}
    table = small.ingested(tmp_path / "t", {name: pa.array(column) for name, column in columns.items()})
    said = {
        "architecture": {"kind": "linear"},
        "dataset": {"id": "x", "weight": "count", "split": {"kind": "holdout", "val": 0, "test": 0.2}},
        "hyperparameters": {"optimizer": {"kind": "gd", "lr": 0.1}, "epochs": 2000},
    }
    resolved, prepared = small.resolve_and_prepare(JobSpec.model_validate(said), table)
    assert [(each.name, each.role) for each in resolved.columns][2] == ("count", "weight")
    division = divide(resolved.spec.dataset.split, table, resolved.roles_in(table.schema), 0)
    learner = build(resolved.spec, prepared)
    steps = list(fit(learner, prepared.train.part(), None))
    encoded = [small.single(prepared.train.x).double().numpy(), prepared.train.t.double().numpy()]
    assert prepared.train.w is not None
    assert float(prepared.train.w.mean()) == pytest.approx(1, rel=1e-6)
    (x_nF, t_n), w_n = encoded, prepared.train.w.double().numpy()
    x_nF = np.column_stack([x_nF, np.ones(len(x_nF))])
    b_F = np.linalg.solve(x_nF.T @ (w_n[:, None] * x_nF), x_nF.T @ (w_n * t_n))
    found = np.concatenate([each.detach().double().numpy().ravel() for each in learner.model.parameters()])
    np.testing.assert_allclose(found, b_F, atol=1e-4)
    assert steps[-1].series["train/loss"] == pytest.approx((w_n * (x_nF @ b_F - t_n) ** 2).mean(), rel=1e-4)
    # The loss of another part is the weighted mean over its rows, and metrics count them alike.
    tested, rows_m = learner.evaluate(prepared.test.part()), prepared.test.x
    assert tested["rmse"] == learner.evaluate((rows_m, prepared.test.t))["rmse"]
    losses_m = (learner.model(small.single(rows_m)).detach().squeeze(1) - prepared.test.t).double() ** 2
    held = np.setdiff1d(np.arange(60), division.train)
    assert tested["loss"] == pytest.approx(np.average(losses_m.numpy(), weights=w_N[held]), rel=1e-5)
