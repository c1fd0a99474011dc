"""How weights start, where a spec wants another start than the architecture's own."""

from collections.abc import Callable

import torch
from torch import nn

from athanor.contract import Initialization

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)

_DRAWS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "xavier": nn.init.xavier_uniform_,
    "kaiming": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
    "orthogonal": nn.init.orthogonal_,
}


def initialize(model: nn.Module, name: Initialization) -> None:
    """Draw the weights of affine maps, convolutions and recurrent layers anew, from torch's global generator.

    `xavier`: uniform in ±√(6 / (in + out)) (Glorot and Bengio 2010). `kaiming`: normal with variance 2 / in (He et al.
    2015). `orthogonal`: orthonormal rows or columns, whichever are fewer, a filter counting as one row (Saxe,
    McClelland and Ganguli 2014). Of a recurrent layer each gate's matrix is a map of its own. Biases, embeddings and
    normalization stay as they are, and so does a weight of zeros alone: its architecture means it.
    """
    if name == "default":
        return
    for module in model.modules():
        if isinstance(module, LAYERS) and bool(module.weight.any()):
            _DRAWS[name](module.weight)
        elif isinstance(module, nn.RNNBase):
            with torch.no_grad():
                for weight in (value for key, value in module.named_parameters() if key.startswith("weight")):
                    for gate in torch.split(weight, module.hidden_size):
                        _DRAWS[name](gate)
