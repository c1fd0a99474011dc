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


def still(model: nn.Module) -> list[nn.Module]:
    """The modules whose parameters are all frozen, with what lies within them: what they remember stays as it is.

    Without recurrent layers: they remember nothing, and cuDNN gives no gradient through one that is not in training.
    """
    frozen = []
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            frozen.append(module)
    parts = dict.fromkeys(part for module in frozen for part in module.modules())
    return [part for part in parts if not isinstance(part, nn.RNNBase)]
