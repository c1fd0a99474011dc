"""ConvolutionalNetwork networks against loops over pixels."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch

from models.errors import SpecError
from models.nn.activations import MONOTONE, Activation
from models.parts.architecture import Inputs
from models.parts.architectures.cnn import CNN, ConvolutionalNetwork
from models.parts.optimizers.adamw import AdamW

Array = npt.NDArray[np.float64]


@pytest.mark.parametrize("normalization", ["batch", "none"])
@pytest.mark.parametrize("pool", ["flatten", "global"])
def test_parameters(normalization: Literal["batch", "none"], pool: Literal["flatten", "global"]) -> None:
    spec = CNN(channels=[4, 6], kernel=5, hidden=[7], normalization=normalization, pool=pool)
    module = spec.build(Inputs("image", (3, 13, 10)), 2)
    extra = 2 if normalization == "batch" else 1
    blocks = (3 * 4 * 25 + extra * 4) + (4 * 6 * 25 + extra * 6)
    seen = 6 * (1 if pool == "global" else 3 * 2)
    assert sum(parameter.numel() for parameter in module.parameters()) == (
        blocks + (seen * 7 + extra * 7) + (7 * 2 + 2)
    )


def _block(x_CHW: Array, weight: Array, bias: Array, activation: str) -> Array:
    """Convolution with zero padding, activation, 2×2 maxima: pixel by pixel."""
    kernel, (_, height, width) = weight.shape[2], x_CHW.shape
    padded = np.pad(x_CHW, ((0, 0), (kernel // 2,) * 2, (kernel // 2,) * 2))
    y = np.zeros((len(weight), height, width))
    for channel in range(len(weight)):
        for row in range(height):
            for column in range(width):
                window = padded[:, row : row + kernel, column : column + kernel]
                y[channel, row, column] = (window * weight[channel]).sum() + bias[channel]
    y = np.maximum(y, 0) if activation == "relu" else y / (1 + np.exp(-y))
    pooled = np.zeros((len(weight), height // 2, width // 2))
    for row in range(height // 2):
        for column in range(width // 2):
            pooled[:, row, column] = y[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].max((1, 2))
    return pooled


@pytest.mark.parametrize("activation", ["relu", "silu"])
@pytest.mark.parametrize("pool", ["flatten", "global"])
def test_forward(activation: Activation, pool: Literal["flatten", "global"]) -> None:
    # One of the two pools before it bends, the other after: the answer is that of bending first.
    assert ("relu" in MONOTONE) != ("silu" in MONOTONE)
    spec = CNN(channels=[2, 3], hidden=[], normalization="none", activation=activation, pool=pool)
    module = spec.build(Inputs("image", (2, 5, 6)), 4).eval()
    w1, b1, w2, b2, w3, b3 = (parameter.detach().double().numpy() for parameter in module.parameters())
    x_BCHW = torch.randn(2, 2, 5, 6)
    expected = []
    for x_CHW in x_BCHW.double().numpy():
        y_CHW = _block(_block(x_CHW, w1, b1, activation), w2, b2, activation)
        expected.append((y_CHW.mean((1, 2)) if pool == "global" else y_CHW.reshape(-1)) @ w3.T + b3)
    for layout in (torch.contiguous_format, torch.channels_last):
        found = module(x_BCHW.contiguous(memory_format=layout))
        np.testing.assert_allclose(found.detach().numpy(), np.array(expected), atol=1e-5)


def test_normalization_is_over_the_batch_in_training() -> None:
    module = CNN(channels=[2], hidden=[], dropout=0).build(Inputs("image", (1, 4, 4)), 2)
    x_BCHW = 5 + 3 * torch.randn(8, 1, 4, 4)
    bent: list[torch.Tensor] = []
    norm = next(child for child in module.modules() if isinstance(child, torch.nn.BatchNorm2d))
    norm.register_forward_hook(lambda _module, _given, answer: bent.append(answer))
    module(x_BCHW)
    torch.testing.assert_close(bent[0].mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(bent[0].var((0, 2, 3), unbiased=False), torch.ones(2), atol=1e-2, rtol=0)


@pytest.mark.parametrize(
    ("height", "width", "blocks", "suggestion"),
    [(8, 8, 4, "at most 3 blocks"), (28, 5, 3, "at most 2 blocks"), (1, 9, 1, "use mlp or linear")],
)
def test_too_many_halvings_are_refused(height: int, width: int, blocks: int, suggestion: str) -> None:
    with pytest.raises(SpecError, match=f"{height}×{width}") as refused:
        CNN(channels=[4] * blocks).build(Inputs("image", (1, height, width)), 2)
    assert (refused.value.pointer, refused.value.code) == ("/architecture/channels", "shape")
    assert refused.value.suggestion is not None and suggestion in refused.value.suggestion
    if blocks > 1:
        most = CNN(channels=[4] * (blocks - 1)).build(Inputs("image", (1, height, width)), 2)
        assert most.eval()(torch.zeros(1, 1, height, width)).shape == (1, 2)


@pytest.mark.parametrize("spec", [{"kernel": 1}, {"kernel": 11}, {"hidden": []}, {"channels": [1]}])
def test_kernels_keep_height_and_width(spec: dict[str, Any]) -> None:
    module = CNN.model_validate(spec).build(Inputs("image", (1, 8, 8)), 2).eval()
    assert module(torch.zeros(1, 1, 8, 8)).shape == (1, 2)


def test_units_over_a_large_image_stay_alive_at_the_recipe_rate() -> None:
    torch.manual_seed(0)
    recipe = CNN.recipe
    module = CNN().build(Inputs("image", (1, 60, 60)), 10)
    assert isinstance(module, ConvolutionalNetwork)
    optimizer = AdamW(lr=recipe.lr).build(module.parameters())
    x_BCHW, t_B = torch.randn(64, 1, 60, 60).clamp(min=1), torch.randint(10, (64,))
    for _ in range(20):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(x_BCHW), t_B).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    bent: list[torch.Tensor] = []
    (relu,) = (child for child in module.head.modules() if isinstance(child, torch.nn.ReLU))
    relu.register_forward_hook(lambda _module, _given, answer: bent.append(answer))
    module(x_BCHW)
    assert float((bent[0].amax(0) > 0).float().mean()) > 0.9
