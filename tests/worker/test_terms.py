"""What hyperparameters add to a step of the loop, against their formulas in numpy."""

from typing import Any

import numpy as np
import pytest
import torch

from models.parts.architectures.cnn import CNN
from models.parts.architectures.linear import Linear
from models.parts.architectures.mlp import MLP
from models.parts.architectures.neural_ngram import NeuralNGram
from models.parts.optimizers.adam import Adam
from models.parts.optimizers.sgd import SGD
from tests import small
from worker.training.loop import fit
from worker.training.stages.averaging import Tensors
from worker.training.stages.progress import EarlyStopping
from worker.training.stages.regularization import Regularization


@pytest.mark.parametrize(
    "terms",
    [
        {"l1": 0.1},
        {"clip_value": 0.02},
        {"max_norm": 0.3},
        {"max_norm": 1e6},
        {"l1": 0.05, "clip_norm": 0.1, "clip_value": 0.03, "max_norm": 0.5},
        {"l1": 0.05, "clip_norm": 1e6, "clip_value": 1e6},
    ],
    ids=str,
)
def test_steps(terms: dict[str, Any]) -> None:
    """Softmax regression on the whole part: gradient, l1, clipping by norm, then by value, a step, rows cut short."""
    x, t = small.problem("vector")
    learner = small.learner(Linear(), SGD(lr=0.5, momentum=0.0), "vector", steps=5, batch_size=len(t), **terms)
    x_NF, is_NK = x.double().numpy(), np.eye(small.CLASSES)[t.numpy()]
    weight_KF, bias_K = (value.detach().double().numpy().copy() for value in learner.model.parameters())
    for step in fit(learner, (x, t), None):
        y_NK = x_NF @ weight_KF.T + bias_K
        p_NK = np.exp(y_NK) / np.exp(y_NK).sum(1, keepdims=True)
        # The penalty is no part of the loss that is shown, as weight decay is not.
        assert step.series["train/loss"] == pytest.approx(-np.log(p_NK[is_NK == 1]).mean(), rel=1e-4)
        e_NK = (p_NK - is_NK) / len(t)
        slopes = [e_NK.T @ x_NF + terms.get("l1", 0) * np.sign(weight_KF), e_NK.sum(0)]
        norm = np.sqrt(sum((slope**2).sum() for slope in slopes))
        assert step.series["grad_norm"] == pytest.approx(norm, rel=1e-4)
        slopes = [slope * min(1, terms.get("clip_norm", np.inf) / norm) for slope in slopes]
        most = terms.get("clip_value", np.inf)
        slopes = [slope.clip(-most, most) for slope in slopes]
        weight_KF, bias_K = weight_KF - 0.5 * slopes[0], bias_K - 0.5 * slopes[1]
        lengths_K = np.linalg.norm(weight_KF, axis=1)
        weight_KF = weight_KF * np.minimum(1, terms.get("max_norm", np.inf) / lengths_K)[:, None]
        for found, expected in zip(learner.model.parameters(), (weight_KF, bias_K), strict=True):
            np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-4, atol=1e-6)


def test_only_the_head_is_bounded() -> None:
    learner = small.learner(MLP(hidden=[8]), Adam(lr=0.1), "vector", steps=12, max_norm=0.2)
    list(fit(learner, small.problem("vector"), None))
    lengths = [learner.model.state_dict()[f"fc{at}.weight"].norm(dim=1).max() for at in (1, 2)]
    assert lengths[0] > 0.3 and lengths[1] <= 0.2 * (1 + 1e-6)


def test_two_maps_to_the_same_outputs_are_bounded_as_one() -> None:
    network = NeuralNGram(embedding=4, hidden=5, direct=True)
    learner = small.learner(network, Adam(lr=0.1), "text", steps=12, max_norm=0.2)
    list(fit(learner, small.text(), None))
    weights = learner.model.state_dict()
    lengths_K = torch.cat([weights["head.weight"], weights["direct.weight"]], 1).norm(dim=1)
    assert lengths_K.max() == pytest.approx(0.2, rel=1e-5)
    assert weights["hidden.weight"].norm(dim=1).max() > 0.3


def test_a_row_of_zeros_stays_one() -> None:
    weight = torch.nn.Parameter(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.3, 0.4]]))
    Regularization(max_norm=1.0).constrain([weight])
    torch.testing.assert_close(weight.detach(), torch.tensor([[0.0, 0.0], [0.6, 0.8], [0.3, 0.4]]))


@pytest.mark.parametrize(
    ("start", "steps", "ends"),
    [
        (0.0, 18, [6, 12, 18]),
        (0.5, 24, [12, 18, 24]),
        (0.51, 24, [18, 24]),
        (0.9, 20, [18, 20]),
        (0.99, 24, [24]),
        (0.75, 4, [4]),
    ],
)
def test_the_equal_average(start: float, steps: int, ends: list[int]) -> None:
    """Six steps are an epoch. A run that ends within one counts its end."""
    learner = small.learner(CNN(channels=[4], hidden=[]), Adam(lr=0.05), "image", steps=steps, swa={"start": start})
    passed: list[Tensors] = []
    for step in fit(learner, small.problem("image"), None):
        if step.number in ends:
            passed.append({name: value.clone() for name, value in learner.model.state_dict().items()})
        assert (learner.average is None) == (not passed)
        assert learner.state.averaged == len(passed)
        for name, value in learner.weights().items():
            if not passed:
                assert value is learner.model.state_dict()[name] or torch.equal(value, learner.model.state_dict()[name])
            elif name.endswith("num_batches_tracked"):
                assert value == passed[-1][name]
            else:
                # Statistics of batch normalization are averaged like the weights.
                mean = np.mean([each[name].double().numpy() for each in passed], axis=0)
                np.testing.assert_allclose(value.numpy(), mean, rtol=1e-4, atol=1e-6)
    assert len(passed) == len(ends)


def test_the_equal_average_is_what_is_evaluated_and_training_goes_on_unharmed() -> None:
    train, val = small.problem("vector"), small.problem("vector", 9, seed=1)
    learner = small.learner(MLP(hidden=[4]), Adam(lr=0.05), "vector", steps=24, swa={"start": 0.5})
    steps = list(fit(learner, train, val))
    other = small.learner(MLP(hidden=[4]), Adam(lr=0.05), "vector", steps=24)
    plain = list(fit(other, train, val))
    for name, value in other.model.state_dict().items():
        assert torch.equal(value, learner.model.state_dict()[name])
    assert [steps[at].series["val/loss"] for at in (5, 11)] == [plain[at].series["val/loss"] for at in (5, 11)]
    assert learner.average is not None
    other.model.load_state_dict(learner.average)
    assert steps[-1].series["val/loss"] == other.evaluate(val)["loss"] != plain[-1].series["val/loss"]


def test_a_run_that_stops_before_the_average_begins_keeps_its_weights() -> None:
    stopping = EarlyStopping("val/loss", "min", patience=1, min_delta=1e9)
    learner = small.learner(
        Linear(), Adam(), "vector", steps=60, swa={"start": 0.9}, progress={"early_stopping": stopping}
    )
    assert len(list(fit(learner, small.problem("vector"), small.problem("vector", 7)))) == 12
    assert learner.average is None
