"""Weight initialization by name, for a spec that replaces the architecture's own."""

from collections.abc import Callable

import torch
from torch import nn

from athanor.contract import Initialization

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)

_INITIALIZERS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "xavier": nn.init.xavier_uniform_,
    "kaiming": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
    "orthogonal": nn.init.orthogonal_,
}


def initialize(model: nn.Module, name: Initialization) -> None:
    """Draw the weights of linear, convolutional and recurrent layers again, from torch's global generator.

    `xavier`: uniform in ±√(6 / (in + out)) (Glorot and Bengio 2010). `kaiming`: normal with variance 2 / in (He et al.
    2015). `orthogonal`: orthonormal rows or columns, whichever are fewer; a filter counts as one row (Saxe, McClelland
    and Ganguli 2014). Each gate of a recurrent layer has a matrix of its own. Biases, embeddings and normalization keep
    their values. A weight that is all zeros keeps them too, because its architecture starts there on purpose.
    """
    if name == "default":
        return
    for module in model.modules():
        if isinstance(module, LAYERS) and bool(module.weight.any()):
            _INITIALIZERS[name](module.weight)
        elif isinstance(module, nn.RNNBase):
            with torch.no_grad():
                for weight in (value for key, value in module.named_parameters() if key.startswith("weight")):
                    for gate in torch.split(weight, module.hidden_size):
                        _INITIALIZERS[name](gate)
