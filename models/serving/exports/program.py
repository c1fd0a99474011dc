"""A network as a graph that others can run: rows and, where it reads words, their number are left open.

Shape letters: N rows, T words.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from models.errors import SpecError
from models.parts.architecture import Inputs

PLACES = {"stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node"}
"""What torch notes of each operation about where it stood in the code: no use elsewhere, and it names our folders."""

Shapes = tuple[dict[int, Dim]]


@dataclass(frozen=True)
class Traced:
    program: ExportedProgram
    shapes: Shapes
    module: nn.Module
    """The network it was made from, which says what is right."""
    x: torch.Tensor
    """x_N… of real rows."""

    @property
    def any_length(self) -> bool:
        """Whether a sentence may be shorter than the longest."""
        return 1 in self.shapes[0]

    def trials(self) -> Iterator[torch.Tensor]:
        """Batches of several sizes and lengths, made of the real rows."""
        lengths = sorted({1, -(-self.x.shape[1] // 2), self.x.shape[1]}) if self.any_length else [None]
        for rows in (1, 2, 5):
            # Repeated, where there are fewer.
            numbers_n = torch.arange(rows) % len(self.x)
            for length in lengths:
                yield self.x[numbers_n] if length is None else self.x[numbers_n, :length]


def trace(module: nn.Module, inputs: Inputs, x: torch.Tensor) -> Traced:
    """Follow a network in evaluation over real rows x_N…. Raises SpecError where torch.export cannot."""
    module = module.eval().requires_grad_(False)
    # Two at least of everything that is left open: torch.export takes a one for a constant.
    example = x[torch.arange(3) % len(x)]
    open_: dict[int, Dim] = {0: Dim("batch", min=1)}
    ways: list[Shapes] = [(open_,)]
    if inputs.kind == "text" and x.shape[1] > 1:
        ways.insert(0, ({**open_, 1: Dim("length", min=1, max=x.shape[1])},))
    why = ""
    for shapes in ways:
        try:
            program = torch.export.export(module, (example,), dynamic_shapes=shapes)
        except Exception as error:  # of a dozen kinds, with no common ancestor
            why = why or str(error).strip().splitlines()[0]
            continue
        _forget_places(program)
        return Traced(program, shapes, module, x)
    raise SpecError(
        "?format", f"torch.export cannot follow the network: {why}", code="cannot_export", suggestion="format=bundle"
    )


def _forget_places(program: ExportedProgram) -> None:
    for graph in program.graph_module.modules():
        if isinstance(graph, torch.fx.GraphModule):
            for node in graph.graph.nodes:
                for name in PLACES & node.meta.keys():
                    del node.meta[name]
    program.example_inputs = None


def difference(found: torch.Tensor, right: torch.Tensor) -> float:
    """The largest absolute difference; infinite where shapes differ or a number is none."""
    if found.shape != right.shape:
        return float("inf")
    gap = float((found.double() - right.double()).abs().max()) if right.numel() else 0.0
    return gap if gap == gap else float("inf")


def check(gap: float, bound: float, name: str) -> float:
    """`gap` itself. Raises SpecError where it is above `bound`."""
    if not gap <= bound:
        raise SpecError(
            "?format",
            f"the outputs of the {name} differ by {gap:.3g} from the network's own; at most {bound:g} is let pass",
            code="export_differs",
            suggestion="format=bundle holds the weights themselves",
        )
    return gap
