"""A traced network against the network itself, and what must not pass."""

from copy import deepcopy

import pytest
import torch

from models.errors import SpecError
from models.parts.architecture import Inputs
from models.parts.architectures.linear import Linear
from models.parts.architectures.textcnn import TextCNN
from models.parts.inputs import ONLY
from models.serving.exports import onnx, pt2
from models.serving.exports.program import Traced, check, difference, trace
from tests import small

VECTOR = Inputs("vector", (4,))
RENDERS = {"onnx": onnx.render, "pt2": pt2.render}


def _linear() -> Traced:
    torch.manual_seed(0)
    return trace(Linear().build(VECTOR, 3), {ONLY: VECTOR}, torch.randn(6, 4))


@pytest.mark.parametrize("format", RENDERS)
def test_other_weights_are_refused(format: str) -> None:
    traced = _linear()
    written, gap = RENDERS[format](traced, {}, 1e-4)
    assert written and gap <= 1e-6
    other = deepcopy(traced.module)
    with torch.no_grad():
        other.get_parameter("linear.bias")[0] += 1e-3
    with pytest.raises(SpecError, match=r"differ by 0\.001 ") as refused:
        RENDERS[format](Traced(traced.program, traced.shapes, other, traced.x), {}, 1e-4)
    assert (refused.value.pointer, refused.value.code) == ("?format", "export_differs")


@pytest.mark.parametrize(
    ("found", "right", "gap"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.5], [1.0, 2.0], 0.5),
        ([1.0], [1.0, 2.0], float("inf")),
        ([float("nan")], [1.0], float("inf")),
        ([float("nan")], [float("nan")], float("inf")),
        ([], [], 0.0),
    ],
)
def test_the_largest_difference(found: list[float], right: list[float], gap: float) -> None:
    assert difference(torch.tensor(found), torch.tensor(right)) == gap


def test_a_network_of_no_numbers_is_refused() -> None:
    with pytest.raises(SpecError):
        check(float("inf"), 1e-4, "model")
    assert check(1e-4, 1e-4, "model") == 1e-4


def test_the_trials_are_of_several_sizes_and_lengths() -> None:
    text = Inputs("text", (7,), vocabulary=12)
    network = TextCNN(channels=2, embedding=3, widths=[2]).build(text, 2)
    traced = trace(network, {ONLY: text}, torch.ones(1, 7).long())
    shapes = [tuple(small.single(x).shape) for x in traced.trials()]
    assert shapes == [(rows, words) for rows in (1, 2, 5) for words in (1, 4, 7)]
    assert [len(small.single(x)) for x in _linear().trials()] == [1, 2, 5]


def test_a_network_that_cannot_be_followed() -> None:
    class Picky(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if float(x.sum()) > 0 else -x

    with pytest.raises(SpecError, match=r"torch\.export cannot follow the network") as refused:
        trace(Picky(), {ONLY: VECTOR}, torch.randn(3, 4))
    assert refused.value.code == "cannot_export" and refused.value.suggestion == "format=bundle"


def test_a_network_of_one_length() -> None:
    class Fixed(torch.nn.Module):
        def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
            return x_BT.reshape(-1, 7).float().sum(1, keepdim=True)

    traced = trace(Fixed(), {ONLY: Inputs("text", (7,), vocabulary=9)}, torch.ones(2, 7).long())
    assert [list(shape) for shape in traced.shapes] == [[0]]
    assert onnx.render(traced, {}, 1e-4)[1] == 0
