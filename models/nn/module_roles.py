"""Roles that modules have in training: output layers, hidden matrices, frozen modules."""

from torch import nn


def output_layers(model: nn.Module) -> list[nn.Linear]:
    """The linear layers whose sum is the output: the model's `output_layers` where it defines them, else its last one.

    The list is empty where the output has no weights of its own.
    """
    defined: list[nn.Linear] | None = getattr(model, "output_layers", None)
    if defined is not None:
        return defined
    return [module for module in model.modules() if isinstance(module, nn.Linear)][-1:]


def hidden_matrices(model: nn.Module) -> list[nn.Parameter]:
    """The weight matrices of linear and recurrent layers, without embeddings and without the output layers."""
    outer = {id(layer) for layer in output_layers(model)}
    layers = [
        module for module in model.modules() if isinstance(module, (nn.Linear, nn.RNNBase)) and id(module) not in outer
    ]
    return [weight for layer in layers for weight in layer.parameters(recurse=False) if weight.dim() == 2]


def frozen_modules(model: nn.Module) -> list[nn.Module]:
    """The modules whose parameters are all frozen, and their submodules. They stay in evaluation mode.

    In evaluation mode batch normalization keeps its running statistics. Recurrent layers are left out: they have no
    such statistics, and cuDNN computes no gradient through a recurrent layer in evaluation mode.
    """
    frozen = []
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            frozen.append(module)
    submodules = dict.fromkeys(submodule for module in frozen for submodule in module.modules())
    return [module for module in submodules if not isinstance(module, nn.RNNBase)]
