"""Trace a network as a graph with a dynamic number of rows and, for texts, of words.

Shape letters: N rows, T words.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from athanor.bundle import INPUT
from models.errors import SpecError
from models.nn.named_tensors import NetworkInput, map_tensors, rows, tensors
from models.parts.inputs import NamedInputs

PLACES = {"stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node"}
"""Metadata of torch about the source code of each operation. It is removed, because it names local folders."""

Shapes = list[dict[int, Dim]]
"""For each input, in order: the dynamic dimensions by their position."""


@dataclass(frozen=True)
class Traced:
    program: ExportedProgram
    shapes: Shapes
    module: nn.Module
    """The original network, whose outputs are the reference."""
    x: NetworkInput
    """x_N… of real rows."""

    @property
    def dynamic_shapes(self) -> dict[str, dict[int, Dim]] | tuple[dict[int, Dim], ...]:
        """`shapes` in the form that torch needs: by name for several inputs, by position for one."""
        return _as_arguments(self.x, self.shapes)

    def trials(self) -> Iterator[NetworkInput]:
        """Yield batches of different sizes and lengths, made from the real rows."""
        there = list(zip(tensors(self.x), self.shapes, strict=True))
        # The dynamic dimension allows shorter texts than the longest, so test some.
        longest = max((x.shape[1] for x, shape in there if 1 in shape), default=1)
        for count in (1, 2, 5):
            # Repeat rows if there are fewer than `count`.
            numbers_n = torch.arange(count) % rows(self.x)
            for length in sorted({1, -(-longest // 2), longest}):
                cut = [x[numbers_n, :length] if 1 in shape else x[numbers_n] for x, shape in there]
                yield dict(zip(self.x, cut, strict=True)) if isinstance(self.x, dict) else cut[0]


def named(x: NetworkInput) -> dict[str, torch.Tensor]:
    """Inputs by their names in the exported model: those of the architecture, or INPUT for a single input."""
    return x if isinstance(x, dict) else {INPUT: x}


def trace(module: nn.Module, inputs: NamedInputs, x: NetworkInput) -> Traced:
    """Trace a network in evaluation mode with real rows x_N…. Raises SpecError if torch.export fails."""
    module = module.eval().requires_grad_(False)
    # torch.export treats a dimension of size 1 as a constant, so the example has three rows.
    example = map_tensors(lambda x_N: x_N[torch.arange(3) % rows(x)], x)
    batch = Dim("batch", min=1)
    there = list(zip(named(x).items(), inputs.values(), strict=True))
    texts = [name for (name, x_N), described in there if described.variable_length and x_N.shape[1] > 1]
    any_length: Shapes = [
        {0: batch, 1: Dim(_length(name, texts), min=1, max=x_N.shape[1])} if name in texts else {0: batch}
        for (name, x_N), _ in there
    ]
    one_length: Shapes = [{0: batch} for _ in there]
    arguments, keywords = ((), example) if isinstance(example, dict) else ((example,), {})
    why = ""
    for shapes in [any_length, one_length] if texts else [one_length]:
        try:
            program = torch.export.export(module, arguments, keywords, dynamic_shapes=_as_arguments(x, shapes))
        except Exception as error:  # torch.export raises errors of many types
            why = why or str(error).strip().splitlines()[0]
            continue
        _forget_places(program)
        return Traced(program, shapes, module, x)
    raise SpecError(
        "?format", f"torch.export cannot follow the network: {why}", code="cannot_export", suggestion="format=bundle"
    )


def _as_arguments(x: NetworkInput, shapes: Shapes) -> dict[str, dict[int, Dim]] | tuple[dict[int, Dim], ...]:
    return dict(zip(x, shapes, strict=True)) if isinstance(x, dict) else tuple(shapes)


def _length(name: str, texts: list[str]) -> str:
    """The name of the dynamic dimension for the words of an input."""
    return "length" if len(texts) == 1 else f"length_of_{name}"


def _forget_places(program: ExportedProgram) -> None:
    for graph in program.graph_module.modules():
        if isinstance(graph, torch.fx.GraphModule):
            for node in graph.graph.nodes:
                for name in PLACES & node.meta.keys():
                    del node.meta[name]
    program.example_inputs = None


def difference(found: torch.Tensor, right: torch.Tensor) -> float:
    """The largest absolute difference. It is infinite if the shapes differ or a value is NaN."""
    if found.shape != right.shape:
        return float("inf")
    gap = float((found.double() - right.double()).abs().max()) if right.numel() else 0.0
    return gap if gap == gap else float("inf")


def check(gap: float, bound: float, name: str) -> float:
    """Return `gap`. Raises SpecError if it is larger than `bound`, or NaN."""
    if not gap <= bound:
        raise SpecError(
            "?format",
            f"the outputs of the {name} differ by {gap:.3g} from the network's own; at most {bound:g} is accepted",
            code="export_differs",
            suggestion="format=bundle holds the weights themselves",
        )
    return gap
