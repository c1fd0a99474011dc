"""Freezing: which parameters a name stands for."""

import pytest
from torch import nn

from models.errors import SpecError
from models.planning.freezing import freeze

NAMES = ("layer1", "layer10", "head")


def _frozen(*starts: str) -> set[str]:
    model = nn.ModuleDict({name: nn.Sequential(nn.Linear(1, 1)) for name in NAMES})
    freeze(model, list(starts))
    return {name for name, parameter in model.named_parameters() if not parameter.requires_grad}


def test_a_name_stands_for_whole_segments() -> None:
    assert _frozen("layer1") == {"layer1.0.weight", "layer1.0.bias"}
    assert _frozen("layer1.0", "head.0.bias") == {"layer1.0.weight", "layer1.0.bias", "head.0.bias"}


@pytest.mark.parametrize("start", ["layer", "layer1.0.w", "ayer1", "layer1."])
def test_a_part_of_a_segment_is_refused(start: str) -> None:
    with pytest.raises(SpecError) as refused:
        _frozen(start)
    assert (refused.value.pointer, refused.value.code) == ("/hyperparameters/freeze/0", "unknown_parameter")
