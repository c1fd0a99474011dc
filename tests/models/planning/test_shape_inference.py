"""Shape inference gives what PyTorch's own meta kernels give."""

import time
from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import nn

from models.nn.activations import Activation, activation
from models.parts.architecture import ARCHITECTURES, Architecture
from models.parts.architectures.rnn import Cell
from models.parts.inputs import ONLY, InputKind, Inputs
from models.planning.method import MetaNetwork
from models.planning.methods.gradient_descent import activations
from models.planning.shape_inference import ShapeInference
from tests import small


def _built(architecture: Architecture, inputs: Inputs) -> tuple[list[tuple[str, torch.Size, torch.dtype]], int]:
    """Names, shapes and types of the weights, and the numbers that a forward pass keeps."""
    with torch.device("meta"):
        module = architecture.build_for({ONLY: inputs}, 3)
    kept = activations(MetaNetwork(module, {ONLY: inputs}, 3, 4, None))
    return [(name, each.shape, each.dtype) for name, each in module.state_dict().items()], kept


@pytest.mark.parametrize("kind", get_args(InputKind))
def test_every_architecture(kind: InputKind) -> None:
    for part in ARCHITECTURES:
        if kind in part.accepts and small.descends(part) and not small.kinds_of(part):
            architecture, inputs = part.model_validate({}), small.shape(part, kind)
            expected = _built(architecture, inputs)
            with ShapeInference():
                assert _built(architecture, inputs) == expected, part


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", get_args(Cell))
def test_every_cell(cell: Cell, bidirectional: bool) -> None:
    layers = 1 if cell == "jordan" else 3
    architecture = ARCHITECTURES["rnn"].model_validate(
        {"cell": cell, "bidirectional": bidirectional, "layers": layers, "hidden": 7, "embedding": 5, "window": 3}
    )
    for per_word in (False, True):
        inputs = Inputs("text", (6,), vocabulary=20, per_word=per_word)
        expected = _built(architecture, inputs)
        with ShapeInference():
            assert _built(architecture, inputs) == expected


@pytest.mark.parametrize("name", get_args(Activation))
def test_activations(name: Activation) -> None:
    x_BF = torch.ones(2, 3, dtype=torch.float64, device="meta")
    with ShapeInference():
        y_BF = activation(name)(x_BF)
    assert (y_BF.shape, y_BF.dtype, y_BF.device) == (x_BF.shape, x_BF.dtype, x_BF.device)


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (lambda: nn.Linear(3, 2), (4, 5)),
        (lambda: nn.BatchNorm2d(3).eval(), (2, 5, 4, 4)),
        (lambda: nn.LayerNorm(3), (4, 5)),
        (lambda: nn.GroupNorm(2, 4), (2, 6, 3)),
        (lambda: nn.Conv2d(3, 2, 3), (2, 4, 8, 8)),
    ],
)
def test_shapes_that_do_not_fit_are_errors(module: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    with ShapeInference(), torch.device("meta"):
        built, x = module(), torch.ones(shape)
        with pytest.raises(RuntimeError):
            built(x)


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(6), nn.LayerNorm(6), nn.GroupNorm(3, 6), nn.Linear(6, 4, bias=False)])
def test_shapes_that_fit_are_those_of_torch(norm: nn.Module) -> None:
    x_BF = torch.ones(5, 6, device="meta")
    expected = norm.to("meta").eval()(x_BF)
    with ShapeInference():
        assert norm(x_BF).shape == expected.shape


def test_integers_become_floats() -> None:
    with ShapeInference():
        assert torch.sigmoid(torch.ones(3, dtype=torch.int64, device="meta")).dtype == torch.float32


def test_tensors_with_numbers_are_computed() -> None:
    with ShapeInference():
        assert torch.equal(torch.tanh(torch.ones(2)), torch.ones(2).tanh())
        assert nn.init.ones_(torch.zeros(2)).tolist() == [1.0, 1.0]
        assert nn.Linear(2, 1, bias=False)(torch.ones(1, 2)).abs() > 0


@pytest.mark.parametrize("cell", get_args(Cell))
def test_a_long_text_takes_no_time(cell: Cell) -> None:
    """Word by word, the shapes of these 100,000 words take minutes."""
    inputs = Inputs("text", (100_000,), vocabulary=20)
    began = time.process_time()
    with ShapeInference():
        _built(ARCHITECTURES["rnn"].model_validate({"cell": cell}), inputs)
    assert time.process_time() - began < 5
