"""The loop, step by step."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from models.data.preparation.examples import Part
from models.data.preparation.split import steps_per_epoch
from models.parts.architecture import InputKind
from models.parts.architectures.linear import Linear
from models.parts.architectures.mlp import MLP
from models.parts.architectures.rnn import RNN
from models.parts.optimizers.adam import Adam
from models.parts.optimizers.sgd import SGD
from models.parts.schedules.cosine import Cosine
from models.parts.targets.classes import Classes
from tests import small
from worker.training.learner import Learner, TrainingConfig
from worker.training.loader import Batching
from worker.training.loop import NonFinite, fit
from worker.training.stages.evaluation import Evaluation, outputs
from worker.training.stages.forward import Forward, as_network_input
from worker.training.stages.progress import EarlyStopping, better

PLAIN = SGD(lr=0.1, momentum=0.0)


class Scale(nn.Module):
    """One weight, and a diary of the inputs it saw in training."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seen: list[list[int]] = []

    def forward(self, x_B1: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen.append(x_B1.flatten().int().tolist())
        return x_B1 * self.weight


def _numbered(rows: int) -> Part:
    """Rows that are their own numbers."""
    return torch.arange(float(rows)).reshape(-1, 1), torch.zeros(rows)


def _scale(rows: int, batch_size: int, *, seed: int = 0, epochs: int = 1) -> tuple[Scale, Learner]:
    model = Scale()
    per_epoch = steps_per_epoch(rows, batch_size)
    config = TrainingConfig(
        Forward(lambda y, t: (y.squeeze(1) - t).abs().mean()),
        Batching(epochs * per_epoch, per_epoch, batch_size, seed),
        Evaluation(lambda y, t: {}),
        rate_factor=lambda step, steps: 1.0,
    )
    return model, Learner(model, PLAIN.build(model.parameters()), config)


def test_nothing_happens_until_a_step_is_asked_for() -> None:
    model, learner = _scale(10, 2)
    steps = fit(learner, _numbered(10), None)
    assert model.seen == []
    assert [step.number for step in islice(steps, 2)] == [1, 2]
    assert len(model.seen) == learner.state.step == 2
    assert isinstance(steps, Iterator)
    assert [step.number for step in steps] == [3, 4, 5]


def test_an_epoch_is_every_row_once() -> None:
    model, learner = _scale(10, 3, epochs=2)
    steps = list(fit(learner, _numbered(10), None))
    assert [step.epoch for step in steps] == pytest.approx([1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2])
    assert [step.last for step in steps] == [False] * 5 + [True]
    first, second = list(chain(*model.seen[:3])), list(chain(*model.seen[3:]))
    assert len(set(first)) == len(first) == 9
    assert first != second


@pytest.mark.parametrize(
    ("rows", "batch_size", "expected"),
    [(9, 4, [4, 4]), (8, 4, [4, 4]), (10, 4, [4, 4, 2]), (3, 1, [1, 1, 1]), (3, 8, [3]), (5, 4, [4]), (2, 1, [1, 1])],
)
def test_a_last_batch_of_one_row_is_left_out(rows: int, batch_size: int, expected: list[int]) -> None:
    model, learner = _scale(rows, batch_size)
    list(fit(learner, _numbered(rows), None))
    assert [len(seen) for seen in model.seen] == expected


def test_the_order_follows_from_seed_and_epoch_alone() -> None:
    def order(seed: int, start: int = 0) -> list[list[int]]:
        model, learner = _scale(12, 4, seed=seed, epochs=3)
        learner.state.step = start
        list(fit(learner, _numbered(12), None))
        return model.seen

    whole = order(5)
    torch.manual_seed(123)
    assert order(5) == whole
    assert order(6) != whole
    for start in range(9):
        assert order(5, start) == whole[start:]
    # Neither does a later epoch of one seed repeat the first of the next.
    assert order(5)[3:6] != order(6)[:3]


def test_the_average_follows_its_recurrence() -> None:
    decay = 0.7
    learner = small.learner(MLP(hidden=[4]), Adam(lr=0.05), "vector", ema=decay)
    expected = {name: value.numpy().copy() for name, value in learner.model.state_dict().items()}
    for _ in fit(learner, small.problem("vector"), None):
        for name, value in learner.model.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * value.numpy()
        assert learner.average is not None
        for name, value in learner.average.items():
            np.testing.assert_allclose(value.numpy(), expected[name], rtol=1e-5, atol=1e-7)


def test_the_average_is_what_is_evaluated_and_training_goes_on_unharmed() -> None:
    train, val = small.problem("vector"), small.problem("vector", 9, seed=1)
    learner = small.learner(MLP(hidden=[4]), Adam(lr=0.05), "vector", ema=0.9)
    (*_, last) = fit(learner, train, val)
    assert learner.average is not None
    other = small.learner(MLP(hidden=[4]), Adam(lr=0.05), "vector")
    list(fit(other, train, None))
    for name, value in other.model.state_dict().items():
        assert torch.equal(value, learner.model.state_dict()[name])
    other.model.load_state_dict(learner.average)
    assert last.series["val/loss"] == other.evaluate(val)["loss"]


def _scripted(values: list[float]) -> Callable[[torch.Tensor, torch.Tensor], dict[str, float]]:
    script = iter(values)
    # Seven rows are the validation part.
    return lambda y, t: {"accuracy": next(script)} if len(t) == 7 else {}


@pytest.mark.parametrize(
    ("values", "patience", "min_delta", "evaluations"),
    [
        ([0.5, 0.4, 0.6, 0.6, 0.6, 0.9], 2, 0.0, 5),
        ([0.5, 0.4, 0.9, 0.9], 1, 0.0, 2),
        ([0.5, 0.55, 0.6, 0.65], 1, 0.1, 2),
        ([0.5, 0.55, 0.65, 0.7, 0.7], 2, 0.1, 5),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 1, 0.0, 6),
        ([math.nan, math.nan, 0.5], 2, 0.0, 2),
    ],
)
def test_early_stopping_counts(values: list[float], patience: int, min_delta: float, evaluations: int) -> None:
    learner = small.learner(
        Linear(),
        PLAIN,
        "vector",
        steps=6 * len(values),
        evaluation={"measure": _scripted(values)},
        progress={"early_stopping": EarlyStopping("val/accuracy", "max", patience, min_delta)},
    )
    steps = list(fit(learner, small.problem("vector"), small.problem("vector", 7, seed=1)))
    assert len(steps) == 6 * evaluations
    assert [step.last for step in steps] == [False] * (len(steps) - 1) + [True]
    assert list(fit(learner, small.problem("vector"), None)) == []


def test_a_series_that_is_undefined_is_no_progress() -> None:
    stopping = EarlyStopping("val/r2", "max", patience=2, min_delta=0.0)
    learner = small.learner(
        Linear(),
        PLAIN,
        "vector",
        steps=60,
        evaluation={"measure": lambda y, t: {}},
        progress={"early_stopping": stopping},
    )
    assert len(list(fit(learner, small.problem("vector"), small.problem("vector", 7)))) == 12


def test_the_best_is_marked() -> None:
    measure = _scripted([0.5, 0.4, 0.6, 0.6, math.nan])
    learner = small.learner(
        Linear(),
        PLAIN,
        "vector",
        steps=30,
        evaluation={"measure": measure},
        progress={"series": "val/accuracy", "mode": "max"},
    )
    steps = list(fit(learner, small.problem("vector"), small.problem("vector", 7)))
    assert [step.number for step in steps if step.improved] == [6, 18]
    assert [step.score for step in steps if step.number % 6 == 0][:4] == [0.5, 0.4, 0.6, 0.6]
    assert {step.score for step in steps if step.number % 6} == {None}
    assert learner.state.best == 0.6


@pytest.mark.parametrize("mode", ["min", "max"])
def test_better(mode: str) -> None:
    sign = 1 if mode == "max" else -1
    assert better(sign * 2.0, None, "max" if mode == "max" else "min")
    assert better(sign * 2.0, sign * 1.0, "max" if mode == "max" else "min", 0.5)
    assert not better(sign * 1.5, sign * 1.0, "max" if mode == "max" else "min", 0.5)
    assert not better(math.nan, None, "max" if mode == "max" else "min")
    assert not better(math.nan, 1.0, "max" if mode == "max" else "min")


@pytest.mark.parametrize("clip", [0.01, 1e6, None])
def test_a_clipped_gradient_moves_the_weights_no_further(clip: float | None) -> None:
    learner = small.learner(Linear(), SGD(lr=1.0, momentum=0.0), "vector", steps=4, clip_norm=clip)
    before = nn.utils.parameters_to_vector(learner.model.parameters()).detach().clone()
    for step in fit(learner, small.problem("vector"), None):
        after = nn.utils.parameters_to_vector(learner.model.parameters()).detach().clone()
        norm = step.series["grad_norm"]
        assert norm > 0.01
        assert float((after - before).norm()) == pytest.approx(min(norm, clip or math.inf), rel=1e-3)
        before = after


def test_half_precision_runs_and_differs_a_little() -> None:
    train, val = small.problem("vector"), small.problem("vector", 9, seed=1)
    losses = {}
    for bf16 in (False, True):
        learner = small.learner(
            MLP(hidden=[16]), Adam(lr=0.01), "vector", steps=12, precision="bf16" if bf16 else "fp32"
        )
        losses[bf16] = [step.series["train/loss"] for step in fit(learner, train, val)]
        assert {parameter.dtype for parameter in learner.model.parameters()} == {torch.float32}
        assert outputs(learner.model, learner.config.forward, train[0], 4).dtype == torch.float32
    assert losses[True] != losses[False]
    np.testing.assert_allclose(losses[True], losses[False], rtol=0.05)


@pytest.mark.parametrize("every", [1, 3, 100])
def test_a_loss_that_is_not_finite_ends_it_at_once(every: int) -> None:
    learner = small.learner(Linear(), PLAIN, "vector", rows=8, batch_size=1, steps=8, every_steps=every)
    x_N, t_N = small.problem("vector", 8)
    generator = torch.Generator().manual_seed(0)
    x_N[torch.randperm(8, generator=generator)[3]] = math.nan
    with pytest.raises(NonFinite, match=r"nan at step 4, with a learning rate of 0\.1") as raised:
        list(fit(learner, (x_N, t_N), None))
    assert raised.value.step == 4


def test_an_infinite_gradient_ends_the_training_though_its_loss_is_finite() -> None:
    """A gradient of 1e30 is finite, and the sum of its squares is not: Adam would never move that weight again."""
    learner = small.learner(Linear(), PLAIN, "vector", steps=4)
    x_N, t_N = small.problem("vector", 8)
    criterion = learner.config.forward.criterion

    def steep(y_BK: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
        nothing_BK = 1e30 * y_BK - (1e30 * y_BK).detach()
        return criterion(y_BK, t_B) + nothing_BK.sum()

    learner.config = replace(learner.config, forward=replace(learner.config.forward, criterion=steep))
    with pytest.raises(NonFinite, match="the norm of the gradient became inf at step 1"):
        list(fit(learner, (x_N, t_N), None))


def test_reports_come_every_so_many_steps() -> None:
    learner = small.learner(Linear(), PLAIN, "vector", steps=14, every_steps=4)
    steps = list(fit(learner, small.problem("vector"), small.problem("vector", 7)))
    trained = [step.number for step in steps if "train/loss" in step.series]
    evaluated = [step.number for step in steps if "val/loss" in step.series]
    assert (trained, evaluated) == ([4, 8, 12, 14], [6, 12, 14])
    assert [step.number for step in steps if "samples_per_second" in step.series] == evaluated
    assert set(steps[-1].series) == {
        "train/loss",
        *(f"train/{each.kind}" for each in Classes.measures() if each.each_step),
        "lr",
        "grad_norm",
        "samples_per_second",
        *(f"val/{name}" for name in Classes.directions()),
    }
    assert steps[0].series == {}


def test_the_rate_follows_the_schedule_in_every_group() -> None:
    schedule = Cosine(warmup_steps=2, final=0.1)
    learner = small.learner(Linear(), SGD(lr=0.5), "vector", schedule=schedule, steps=9)
    learner.optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))], "lr": 0.25})
    learner = Learner(learner.model, learner.optimizer, learner.config)
    for step in fit(learner, small.problem("vector"), None):
        factor = schedule.factor(step.number - 1, 9)
        assert step.series["lr"] == 0.5 * factor
        assert [group["lr"] for group in learner.optimizer.param_groups] == [0.5 * factor, 0.25 * factor]


def test_evaluation_is_over_the_whole_part_without_dropout() -> None:
    x_N, t_N = small.problem("vector", 11)
    pieces, whole = (
        small.learner(MLP(hidden=[4], dropout=0.9), PLAIN, "vector", batch_size=size).evaluate((x_N, t_N))
        for size in (4, 20)
    )
    assert pieces == pytest.approx(whole)


@pytest.mark.parametrize(("batch_size", "rows"), [(4, 22), (1, 22), (22, 22), (1000, 22), (64, 9)])
@pytest.mark.parametrize("language", [False, True])
def test_a_batch_of_evaluation_is_no_larger_than_one_of_training(batch_size: int, rows: int, language: bool) -> None:
    """Whoever could train can evaluate, also where the validation part has more rows than the training part."""
    architecture, kind = (RNN(hidden=3, embedding=3), "text") if language else (MLP(hidden=[4]), "vector")
    learner = small.learner(
        architecture,
        PLAIN,
        cast(InputKind, kind),
        language=language,
        rows=rows,
        steps=30,
        batch_size=batch_size,
        # The other engine does not call the network in training.
        engine="eager",
    )
    seen: dict[bool, set[int]] = {True: set(), False: set()}
    learner.model.register_forward_pre_hook(lambda model, given: seen[model.training].add(len(given[0])))
    train, val = (small.text(rows), small.text(50)) if language else (small.problem("vector", n) for n in (rows, 50))
    list(fit(learner, train, val))
    assert max(seen[False]) == max(seen[True]) == min(batch_size, rows)


def test_batches_wear_the_layout_that_networks_like() -> None:
    x_BCHW = as_network_input(torch.zeros(2, 3, 4, 4))
    assert x_BCHW.is_contiguous(memory_format=torch.channels_last)
    x_BT = torch.tensor([[2, 0, 0, 0], [3, 0, 4, 0]])
    assert as_network_input(x_BT).tolist() == [[2, 0, 0], [3, 0, 4]]
    assert as_network_input(torch.zeros(2, 5)).shape == (2, 5)


def test_other_weights_are_evaluated_and_leave_the_learner_as_it_was() -> None:
    train, val = small.problem("vector"), small.problem("vector", seed=1)
    learner, other = (small.learner(MLP(hidden=[4]), Adam(), "vector", seed=seed, ema=0.9) for seed in (0, 1))
    list(fit(learner, train, None))
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    assert learner.evaluate(val, other.weights()) == other.evaluate(val) != learner.evaluate(val)
    assert all(torch.equal(value, before[name]) for name, value in learner.model.state_dict().items())
