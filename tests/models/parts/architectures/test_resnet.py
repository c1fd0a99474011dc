"""Residual networks against their blocks written out, and against the paper's count."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from models.errors import SpecError
from models.parts.architecture import Inputs
from models.parts.architectures.resnet import ResNet

Array = npt.NDArray[np.float64]
State = dict[str, Array]
Order = Literal["post", "pre"]


def _built(spec: ResNet, inputs: Inputs, outputs: int = 3) -> tuple[nn.Module, State]:
    """A network whose normalizations change something, ready to answer, and its numbers."""
    torch.manual_seed(0)
    module = spec.build(inputs, outputs)
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            assert child.running_mean is not None and child.running_var is not None
            for vector in (child.weight.data, child.running_var):
                vector.uniform_(0.5, 2)
            for vector in (child.bias.data, child.running_mean):
                vector.uniform_(-1, 1)
    return module.eval(), {name: value.double().numpy() for name, value in module.state_dict().items()}


def _convolve(x_CHW: Array, weight: Array, stride: int = 1) -> Array:
    """Window by window, zeros around the image."""
    kernel, (_, height, width) = weight.shape[2], x_CHW.shape
    padded = np.pad(x_CHW, ((0, 0), (kernel // 2,) * 2, (kernel // 2,) * 2))
    rows, columns = range(0, height, stride), range(0, width, stride)
    y = np.zeros((len(weight), len(rows), len(columns)))
    for row, top in enumerate(rows):
        for column, left in enumerate(columns):
            window = padded[:, top : top + kernel, left : left + kernel]
            y[:, row, column] = np.tensordot(weight, window, 3)
    return y


def _normalize(x_CHW: Array, state: State, name: str) -> Array:
    mean, var, scale, shift = (
        state[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x_CHW - mean) / np.sqrt(var + 1e-5) * scale + shift


def _relu(x: Array) -> Array:
    return np.maximum(x, 0)


def _post(x: Array, state: State, name: str, stride: int) -> Array:
    y = _relu(_normalize(_convolve(x, state[f"{name}.conv1.weight"], stride), state, f"{name}.bn1"))
    y = _normalize(_convolve(y, state[f"{name}.conv2.weight"]), state, f"{name}.bn2")
    if f"{name}.downsample.0.weight" in state:
        x = _normalize(_convolve(x, state[f"{name}.downsample.0.weight"], stride), state, f"{name}.downsample.1")
    return _relu(x + y)


def _pre(x: Array, state: State, name: str, stride: int, first: bool) -> Array:
    bent = _relu(_normalize(x, state, f"{name}.bn1"))
    y = _relu(_normalize(_convolve(bent, state[f"{name}.conv1.weight"], stride), state, f"{name}.bn2"))
    y = _convolve(y, state[f"{name}.conv2.weight"])
    x = bent if first else x
    if f"{name}.downsample.0.weight" in state:
        x = _convolve(x, state[f"{name}.downsample.0.weight"], stride)
    return x + y


@pytest.mark.parametrize("order", ["post", "pre"])
def test_forward(order: Order) -> None:
    # An odd size is halved upwards; the second stage changes the channels, the third the size alone.
    spec = ResNet(stages=[3, 4, 4], blocks=[2, 1, 2], order=order)
    module, state = _built(spec, Inputs("image", (2, 5, 6)))
    x_BCHW = torch.randn(2, 2, 5, 6)
    expected = []
    for x_CHW in x_BCHW.double().numpy():
        h = _convolve(x_CHW, state["conv1.weight"])
        if order == "post":
            h = _relu(_normalize(h, state, "bn1"))
        names = ["layer1.0", "layer1.1", "layer2.0", "layer3.0", "layer3.1"]
        for name, (stride, first) in zip(names, [(1, True), (1, False), (2, True), (2, True), (1, False)], strict=True):
            h = _post(h, state, name, stride) if order == "post" else _pre(h, state, name, stride, first)
        if order == "pre":
            h = _relu(_normalize(h, state, "bn1"))
        assert h.shape == (4, 2, 2)
        expected.append(state["fc.weight"] @ h.mean((1, 2)) + state["fc.bias"])
    for layout in (torch.contiguous_format, torch.channels_last):
        found = module(x_BCHW.contiguous(memory_format=layout)).detach().numpy()
        np.testing.assert_allclose(found, np.array(expected), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("order", ["post", "pre"])
@pytest.mark.parametrize(("blocks", "named"), [(3, 0.27), (5, 0.46), (9, 0.85)])
def test_parameters_are_those_of_the_paper(order: Order, blocks: int, named: float) -> None:
    # Table 6 of the first paper: ResNet-20, -32 and -56 in millions. Ours has 1×1 convolutions in two shortcuts.
    module = ResNet(blocks=blocks, order=order).build(Inputs("image", (3, 32, 32)), 10)
    count = sum(parameter.numel() for parameter in module.parameters())
    assert (count - 16 * 32 - 32 * 64) / 1e6 == pytest.approx(named, abs=0.005)
    assert (
        sum(isinstance(child, nn.Conv2d) and child.kernel_size == (3, 3) for child in module.modules())
        == 6 * blocks + 1
    )


@pytest.mark.parametrize("order", ["post", "pre"])
def test_a_block_that_finds_nothing_changes_nothing(order: Order) -> None:
    module, _ = _built(ResNet(stages=[4], blocks=2, order=order), Inputs("image", (1, 6, 6)))
    block = module.get_submodule("layer1.1")
    with torch.no_grad():
        if order == "post":
            for parameter in block.get_submodule("bn2").parameters():
                parameter.zero_()
        block.get_parameter("conv2.weight").zero_()
        if order == "post":
            block.get_buffer("bn2.running_mean").zero_()
    h_BCHW = torch.randn(2, 4, 6, 6)
    if order == "post":
        h_BCHW = h_BCHW.relu()
    assert torch.equal(block(h_BCHW), h_BCHW)


def test_convolutions_start_as_wide_as_their_answers_are_many() -> None:
    module = ResNet(stages=[64, 256], blocks=1).build(Inputs("image", (3, 8, 8)), 2)
    for child in module.modules():
        if isinstance(child, nn.Conv2d):
            expected = (2 / (child.out_channels * child.kernel_size[0] ** 2)) ** 0.5
            assert float(child.weight.detach().std()) == pytest.approx(expected, rel=0.1)


def test_any_image_will_do() -> None:
    for height, width in [(1, 1), (1, 9), (7, 3)]:
        module = ResNet(stages=[4, 4, 4, 4], blocks=1).build(Inputs("image", (1, height, width)), 2).eval()
        assert module(torch.zeros(2, 1, height, width)).shape == (2, 2)


def test_blocks_for_other_stages_are_refused() -> None:
    with pytest.raises(SpecError, match="2 stages; there are 3") as refused:
        ResNet(blocks=[2, 2]).build(Inputs("image", (1, 8, 8)), 2)
    assert (refused.value.pointer, refused.value.suggestion) == ("/architecture/blocks", "one number, or a list of 3")


@pytest.mark.parametrize(
    "wrong", [{"stages": []}, {"stages": [0]}, {"blocks": 0}, {"blocks": []}, {"blocks": [0]}, {"blocks": 65}]
)
def test_bounds(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ResNet.model_validate(wrong)
