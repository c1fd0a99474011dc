"""Multi-layer perceptrons against their formula."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from models.parts.architecture import Inputs
from models.parts.architectures.mlp import MLP


@pytest.mark.parametrize("hidden", [[3], [8, 6], [5, 5, 5]])
def test_parameters(hidden: list[int]) -> None:
    module = MLP(hidden=hidden).build(Inputs("image", (2, 3, 3)), 4)
    widths = [18, *hidden, 4]
    expected = sum(width_in * width_out + width_out for width_in, width_out in pairwise(widths))
    assert sum(parameter.numel() for parameter in module.parameters()) == expected


def test_forward() -> None:
    module = MLP(hidden=[4, 3], activation="tanh").build(Inputs("vector", (5,)), 2).eval()
    x_B5 = torch.randn(6, 5)
    w1, b1, w2, b2, w3, b3 = (parameter.detach().numpy() for parameter in module.parameters())
    expected = np.tanh(np.tanh(x_B5.numpy() @ w1.T + b1) @ w2.T + b2) @ w3.T + b3
    np.testing.assert_allclose(module(x_B5).detach().numpy(), expected, atol=1e-6)


def test_swiglu_widens_each_hidden_layer_by_a_gate() -> None:
    module = MLP(hidden=[4, 3], activation="swiglu").build(Inputs("vector", (5,)), 2).eval()
    x_B5 = torch.randn(6, 5)
    w1, b1, w2, b2, w3, b3 = (parameter.detach().double().numpy() for parameter in module.parameters())
    assert (w1.shape, w2.shape, w3.shape) == ((8, 5), (6, 4), (2, 3))
    h_BW = x_B5.double().numpy()
    for weight, bias, width in ((w1, b1, 4), (w2, b2, 3)):
        gate_BW = h_BW @ weight[:width].T + bias[:width]
        h_BW = gate_BW / (1 + np.exp(-gate_BW)) * (h_BW @ weight[width:].T + bias[width:])
    np.testing.assert_allclose(module(x_B5).detach().numpy(), h_BW @ w3.T + b3, atol=1e-6)


def test_dropout_is_for_training_alone() -> None:
    module = MLP(hidden=[64], dropout=0.5).build(Inputs("vector", (5,)), 2)
    x_B5 = torch.randn(6, 5)
    assert not torch.equal(module(x_B5), module(x_B5))
    module.eval()
    assert torch.equal(module(x_B5), module(x_B5))


@pytest.mark.parametrize("wrong", [{"hidden": []}, {"hidden": [0]}, {"hidden": [65_537]}, {"dropout": 1.0}])
def test_bounds(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MLP.model_validate(wrong)
