"""Forward and backward pass of K multi-layer perceptrons of one shape, without autograd, as one program.

Shape letters: K networks, B rows of a batch, F features, I inputs and O outputs of a layer, C outputs of the network,
P parameters.
"""

from collections.abc import Callable, Sequence
from itertools import cycle, pairwise

import torch
from torch import nn

from models.nn.dropout import Dropout, StepRandom, set_mask

aten = torch.ops.aten
Derivative = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""The gradient of z from the gradient of a = activation(z), from z, and from a."""

DERIVATIVES: dict[type[nn.Module], Derivative] = {
    nn.ReLU: lambda d, z, a: aten.threshold_backward(d, a, 0),
    nn.Tanh: lambda d, z, a: aten.tanh_backward(d, a),
    nn.Sigmoid: lambda d, z, a: aten.sigmoid_backward(d, a),
    nn.GELU: lambda d, z, a: aten.gelu_backward(d, z),
    nn.SiLU: lambda d, z, a: aten.silu_backward(d, z),
    nn.LeakyReLU: lambda d, z, a: aten.leaky_relu_backward(d, z, 0.01, False),
    nn.ELU: lambda d, z, a: aten.elu_backward(d, 1, 1, 1, False, z),
}


class FlatParameters(nn.Module):
    """All parameters of a network in two tensors, each with its gradient: one kernel of the optimizer for each.

    `matrices` has two dimensions, so that rules which tell matrices from vectors still do.
    """

    def __init__(self, matrices: torch.Tensor, vectors: torch.Tensor) -> None:
        super().__init__()
        self.matrices, self.vectors = nn.Parameter(matrices), nn.Parameter(vectors)


class PerceptronStack:
    """K networks whose parameters lie in one tensor. Each network's own parameters and gradients are views of it."""

    def __init__(self, networks: Sequence[nn.Sequential]) -> None:
        dense: list[list[nn.Linear]] = [[each for each in net if isinstance(each, nn.Linear)] for net in networks]
        first = networks[0]
        (self._p,) = {each.p for each in first if isinstance(each, Dropout)}
        (activation,) = {type(each) for each in first if not isinstance(each, nn.Linear | Dropout)}
        self._activation, self._derivative = activation(), DERIVATIVES[activation]
        shapes = [each.weight.shape for each in dense[0]]
        self._matrices = sum(shape.numel() for shape in shapes)
        parameters = self._matrices + sum(shape[0] for shape in shapes)
        weight = dense[0][0].weight
        self.values_KP = torch.empty(len(networks), parameters, dtype=weight.dtype, device=weight.device)
        self.gradients_KP = torch.zeros_like(self.values_KP)
        self._weights_KOI, self._biases_K1O = self._layers(self.values_KP, shapes)
        self._weight_gradients, self._bias_gradients = self._layers(self.gradients_KP, shapes)
        for number, network in enumerate(dense):
            for layer, linear in enumerate(network):
                _move(linear.weight, self._weights_KOI[layer][number], self._weight_gradients[layer][number])
                _move(linear.bias, self._biases_K1O[layer][number, 0], self._bias_gradients[layer][number, 0])
        self._weights_KIO = [weights.transpose(1, 2) for weights in self._weights_KOI]
        self._kept: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None]] = []
        """Of each hidden layer: its inputs, the values before and after the activation, and the mask."""
        self._rows = 0

    def _layers(self, all_KP: torch.Tensor, shapes: list[torch.Size]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Views of each layer: weights_KOI and biases_K1O. All matrices come first, then all vectors."""
        sizes = [*(shape.numel() for shape in shapes), *(shape[0] for shape in shapes)]
        ends = torch.tensor([0, *sizes]).cumsum(0).tolist()
        pieces = [all_KP[:, start:end] for start, end in pairwise(ends)]
        matrices = [piece.view(-1, *shape) for piece, shape in zip(pieces, shapes, strict=False)]
        return matrices, [piece.unsqueeze(1) for piece in pieces[len(shapes) :]]

    def flat(self, number: int) -> FlatParameters:
        """The parameters of a network as an optimizer takes them."""
        cut = self._matrices
        values_P, gradients_P = self.values_KP[number], self.gradients_KP[number]
        flat = FlatParameters(values_P[None, :cut], values_P[cut:])
        flat.matrices.grad, flat.vectors.grad = gradients_P[None, :cut], gradients_P[cut:]
        return flat

    def forward(self, x_KBF: torch.Tensor, randoms: Sequence[StepRandom]) -> torch.Tensor:
        """y_KBC in training mode. `randoms` has the random numbers of each network."""
        masks = self._masks(x_KBF.shape[1], randoms)
        self._kept, input_KBI = [], x_KBF
        for layer, mask_KBO in enumerate(masks):
            z_KBO = torch.baddbmm(self._biases_K1O[layer], input_KBI, self._weights_KIO[layer])
            a_KBO = self._activation(z_KBO)
            self._kept.append((input_KBI, z_KBO, a_KBO, mask_KBO))
            input_KBI = a_KBO if mask_KBO is None else a_KBO * mask_KBO
        self._last_KBI = input_KBI
        return torch.baddbmm(self._biases_K1O[-1], input_KBI, self._weights_KIO[-1])

    def backward(self, d_KBC: torch.Tensor) -> None:
        """Set all gradients, from those of the outputs."""
        layer = len(self._kept)
        self._set_gradients(layer, d_KBC, self._last_KBI)
        d_KBO = d_KBC
        while self._kept:
            d_KBO = torch.bmm(d_KBO, self._weights_KOI[layer])
            layer -= 1
            input_KBI, z_KBO, a_KBO, mask_KBO = self._kept.pop()
            if mask_KBO is not None:
                d_KBO.mul_(mask_KBO)
            d_KBO = self._derivative(d_KBO, z_KBO, a_KBO)
            self._set_gradients(layer, d_KBO, input_KBI)

    def _set_gradients(self, layer: int, d_KBO: torch.Tensor, input_KBI: torch.Tensor) -> None:
        torch.bmm(d_KBO.transpose(1, 2), input_KBI, out=self._weight_gradients[layer])
        torch.sum(d_KBO, 1, keepdim=True, out=self._bias_gradients[layer])

    def _masks(self, rows: int, randoms: Sequence[StepRandom]) -> Sequence[torch.Tensor | None]:
        """mask_KBO of each hidden layer, or None without dropout. The draws are those of the layers one by one."""
        if not self._p:
            return [None] * (len(self._biases_K1O) - 1)
        if rows != self._rows:
            self._rows = rows
            self._reserve(rows)
        for words_n, random in zip(self._words, cycle(randoms), strict=False):
            random.fill(words_n)
        set_mask(self._bits_n, self._p, self._kept_n, self._mask_n)
        return self._mask_KBO

    def _reserve(self, rows: int) -> None:
        """Memory for the bits and the masks of so many rows: for each layer, those of one network after another."""
        networks = len(self.values_KP)
        widths = [biases.shape[2] for biases in self._biases_K1O[:-1]]
        # Each network's bits of a layer begin with a new word.
        words = [-(-rows * width // 4) for width in widths]
        device = self.values_KP.device
        all_n = torch.empty(networks * sum(words), dtype=torch.int64, device=device)
        self._words = list(torch.split(all_n, [each for each in words for _ in range(networks)]))
        self._bits_n = all_n.view(torch.int16)
        self._kept_n = torch.empty_like(self._bits_n, dtype=torch.bool)
        self._mask_n = torch.empty_like(self._bits_n, dtype=self.values_KP.dtype)
        layers = torch.split(self._mask_n, [4 * networks * each for each in words])
        self._mask_KBO = [
            layer.view(networks, -1)[:, : rows * width].view(networks, rows, width)
            for layer, width in zip(layers, widths, strict=True)
        ]


def _move(parameter: torch.Tensor, place: torch.Tensor, gradient: torch.Tensor) -> None:
    """Let a parameter live in `place`, and its gradient in `gradient`."""
    with torch.no_grad():
        place.copy_(parameter)
    parameter.data, parameter.grad = place, gradient
