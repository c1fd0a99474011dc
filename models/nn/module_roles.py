"""The places in a network that training may treat apart, found by looking at its modules."""

from torch import nn


def readout(model: nn.Module) -> list[nn.Linear]:
    """The affine maps whose sum is the outputs: what the network calls its `readout`, else its last map.

    None where the outputs have no weights of their own.
    """
    named: list[nn.Linear] | None = getattr(model, "readout", None)
    return [each for each in model.modules() if isinstance(each, nn.Linear)][-1:] if named is None else named


def hidden_matrices(model: nn.Module) -> list[nn.Parameter]:
    """The matrices between two layers, of affine maps and recurrent layers: neither a table nor the readout."""
    outer = {id(each) for each in readout(model)}
    maps = [each for each in model.modules() if isinstance(each, (nn.Linear, nn.RNNBase)) and id(each) not in outer]
    return [weight for each in maps for weight in each.parameters(recurse=False) if weight.dim() == 2]


def frozen_modules(model: nn.Module) -> list[nn.Module]:
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
