"""Every optimizer over a network: which parameters it has, and at which of them weight decay pulls."""

import pytest
import torch

from models.parts.architectures.cnn import CNN
from models.parts.optimizer import OPTIMIZERS
from models.parts.optimizers.sgd import SGD
from tests import small

KINDS = [part.model_fields["kind"].default for part in OPTIMIZERS]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("decay_biases", [True, False])
def test_every_parameter_is_in_one_group(kind: str, decay_biases: bool) -> None:
    model = CNN(channels=[4], hidden=[6, 5]).build(small.SHAPES["image"], 3)
    built = OPTIMIZERS[kind].model_validate({"weight_decay": 0.25}).over(model, decay_biases=decay_biases)
    pull = {id(each): group["weight_decay"] for group in built.param_groups for each in group["params"]}
    assert sorted(pull) == sorted(id(parameter) for parameter in model.parameters())
    for parameter in model.parameters():
        assert pull[id(parameter)] == (0.25 if decay_biases or parameter.dim() > 1 else 0.0)


def test_what_is_not_pulled_at_stays() -> None:
    model = CNN(channels=[4], hidden=[]).build(small.SHAPES["image"], 3)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    built = SGD(lr=0.1, momentum=0.0, weight_decay=0.5).over(model, decay_biases=False)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    built.step()
    for name, value in model.named_parameters():
        left = 1 - 0.1 * 0.5 if value.dim() > 1 else 1.0
        torch.testing.assert_close(value.detach(), left * before[name])
