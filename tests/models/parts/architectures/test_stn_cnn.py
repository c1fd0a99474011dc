"""The sampler against one written pixel by pixel, and the network against the plain one that it starts as."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch.nn import functional as F

from models.errors import SpecError
from models.parts.architecture import Inputs
from models.parts.architectures.cnn import CNN
from models.parts.architectures.stn_cnn import STNCNN, SpatialTransformerCNN, affine_grid
from models.parts.optimizers.adamw import AdamW
from tests import small
from worker.training.loop import fit

Array = npt.NDArray[np.float64]


def _sampled(x_CHW: Array, a_23: Array) -> Array:
    """Bilinear weights of the four pixels around each place; beyond the edge, the edge."""
    _, height, width = x_CHW.shape
    y = np.zeros_like(x_CHW)
    for row in range(height):
        for column in range(width):
            target = np.array([(2 * column + 1) / width - 1, (2 * row + 1) / height - 1, 1.0])
            at_x, at_y = a_23 @ target
            # Pixel i of n covers from 2i/n - 1 to 2(i+1)/n - 1.
            u = np.clip(((at_x + 1) * width - 1) / 2, 0, width - 1)
            v = np.clip(((at_y + 1) * height - 1) / 2, 0, height - 1)
            for up in range(height):
                for left in range(width):
                    weight = max(0.0, 1 - abs(u - left)) * max(0.0, 1 - abs(v - up))
                    y[:, row, column] += weight * x_CHW[:, up, left]
    return y


def _network(spec: STNCNN, inputs: Inputs, outputs: int = 4) -> SpatialTransformerCNN:
    module = spec.build(inputs, outputs)
    assert isinstance(module, SpatialTransformerCNN)
    return module.eval()


def test_the_image_is_sampled_where_the_localization_network_says() -> None:
    module = _network(STNCNN(), Inputs("image", (2, 8, 7)))
    place = module.localization[-1]
    assert isinstance(place, torch.nn.Linear)
    for seed in range(5):
        torch.manual_seed(seed)
        with torch.no_grad():
            place.weight.normal_(std=0.2)
            place.bias.normal_(std=0.8)
        x_BCHW = torch.randn(3, 2, 8, 7)
        with torch.no_grad():
            maps = module.localization(x_BCHW).double().numpy().reshape(3, 2, 3)
            found = module.transform(x_BCHW).numpy()
        expected = [_sampled(x, a) for x, a in zip(x_BCHW.double().numpy(), maps, strict=True)]
        np.testing.assert_allclose(found, np.array(expected), atol=1e-4)


def test_the_grid_is_that_of_torch() -> None:
    a_B23 = torch.randn(4, 2, 3)
    expected = F.affine_grid(a_B23, [4, 1, 5, 9], align_corners=False)
    torch.testing.assert_close(affine_grid(a_B23, 5, 9), expected)


def test_it_can_turn_and_shift() -> None:
    x_1CHW = torch.arange(16.0).reshape(1, 1, 4, 4)
    for a_23, expected in [
        ([[0.0, 1, 0], [-1, 0, 0]], torch.rot90(x_1CHW, -1, (2, 3))),
        ([[1.0, 0, 0.5], [0, 1, 0]], torch.cat([x_1CHW[..., 1:], x_1CHW[..., -1:]], 3)),
    ]:
        grid = affine_grid(torch.tensor([a_23]), 4, 4)
        found = F.grid_sample(x_1CHW, grid, padding_mode="border", align_corners=False)
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("normalization", ["batch", "none"])
@pytest.mark.parametrize("pool", ["flatten", "global"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 13, 10), (1, 28, 28)])
def test_it_starts_as_a_plain_cnn(
    normalization: Literal["batch", "none"], pool: Literal["flatten", "global"], shape: tuple[int, int, int]
) -> None:
    same: dict[str, Any] = {"channels": [4, 6], "kernel": 5, "activation": "silu", "hidden": [7]}
    inputs = Inputs("image", shape)
    plain = CNN(**same, normalization=normalization, pool=pool).build(inputs, 3).eval()
    module = _network(STNCNN(**same, normalization=normalization, pool=pool), inputs, 3)
    missing, unexpected = module.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected and all(name.startswith("localization.") for name in missing)
    x_BCHW = torch.randn(5, *shape)
    torch.testing.assert_close(module(x_BCHW), plain(x_BCHW), atol=1e-4, rtol=1e-4)


def test_the_fields_of_cnn_are_here_too() -> None:
    ours, theirs = (kind.model_json_schema()["properties"] for kind in (STNCNN, CNN))
    for name in theirs.keys() - {"kind"}:
        assert {**ours[name], "description": ""} == {**theirs[name], "description": ""}


def test_parameters() -> None:
    plain = CNN(channels=[4]).build(Inputs("image", (2, 12, 9)), 3)
    module = _network(STNCNN(channels=[4], localizer=[3, 5], localizer_hidden=7), Inputs("image", (2, 12, 9)), 3)
    localizer = (2 * 3 * 25 + 3) + (3 * 5 * 25 + 5) + (5 * 3 * 2 * 7 + 7) + (7 * 6 + 6)
    count, without = (sum(parameter.numel() for parameter in one.parameters()) for one in (module, plain))
    assert count == without + localizer


def test_the_localization_network_learns_from_the_first_step_and_the_same_every_time() -> None:
    ends = []
    for _ in range(2):
        # Deterministic algorithms are demanded, as in a trainer: on a processor the sampler has them.
        learner = small.learner(STNCNN(dropout=0), AdamW(lr=1e-2), "image", seed=3, steps=4)
        assert torch.are_deterministic_algorithms_enabled()
        list(fit(learner, small.problem("image"), None))
        ends.append(learner.model.state_dict())
    assert float(ends[0]["localization.theta.weight"].abs().max()) > 0
    assert float((ends[0]["localization.theta.bias"] - torch.tensor([1.0, 0, 0, 0, 1, 0])).abs().max()) > 1e-3
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())


def test_the_view_stays_in_the_picture_at_the_recipe_rate() -> None:
    recipe = STNCNN.recipe
    learner = small.learner(STNCNN(), AdamW(lr=recipe.lr), "image", seed=1, steps=30)
    list(fit(learner, small.problem("image"), None))
    assert isinstance(learner.model, SpatialTransformerCNN)
    with torch.no_grad():
        moved = learner.model.eval().localization(small.inputs("image")) - torch.tensor([1.0, 0, 0, 0, 1, 0])
    assert 0 < float(moved.abs().max()) < 0.5


def test_the_grid_keeps_its_digits_under_autocast() -> None:
    module = _network(STNCNN(), Inputs("image", (1, 28, 28)))
    x_BCHW = torch.randn(2, 1, 28, 28)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(module.transform(x_BCHW), x_BCHW, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("field", ["localizer", "channels"])
def test_too_many_halvings_are_refused(field: str) -> None:
    with pytest.raises(SpecError, match="8×9") as refused:
        STNCNN.model_validate({field: [4] * 4}).build(Inputs("image", (1, 8, 9)), 2)
    assert (refused.value.pointer, refused.value.suggestion) == (f"/architecture/{field}", "at most 3 blocks")
    assert STNCNN.model_validate({field: [4] * 3}).build(Inputs("image", (1, 8, 9)), 2)


def test_a_localization_network_needs_no_convolutions() -> None:
    module = _network(STNCNN(localizer=[]), Inputs("image", (1, 8, 9)), 2)
    assert module(torch.randn(2, 1, 8, 9)).shape == (2, 2)
