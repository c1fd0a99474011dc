"""The places in a network that training may treat apart, found by looking at its modules."""

from torch import nn


def head(model: nn.Module) -> nn.Linear | None:
    """The last affine map, which gives the outputs."""
    maps = [module for module in model.modules() if isinstance(module, nn.Linear)]
    return maps[-1] if maps else None


def hidden_matrices(model: nn.Module) -> list[nn.Parameter]:
    """The matrices between two layers: neither the table of an embedding nor the weights of the head."""
    last = head(model)
    outer = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding) or module is last}
    return [parameter for parameter in model.parameters() if parameter.dim() == 2 and id(parameter) not in outer]
