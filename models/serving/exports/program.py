"""Trace a network as a graph with a dynamic number of rows and, for texts, of words.

Shape letters: N rows, T words.
"""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from athanor.bundle import INPUT
from models.errors import SpecError
from models.nn.named_tensors import NetworkInput, each, rows, tensors
from models.parts.inputs import NamedInputs

PLACES = {"stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node"}
"""Metadata of torch about the source code of each operation. It is removed, because it names local folders."""

Shapes = dict[str, dict[int, Dim]]
"""Of each input: its dimensions that are left open."""


@dataclass(frozen=True)
class Traced:
    program: ExportedProgram
    shapes: Shapes
    """By the names that `forward` has for them."""
    module: nn.Module
    """The original network, whose outputs are the reference."""
    x: NetworkInput
    """x_N… of real rows."""

    @property
    def names(self) -> list[str]:
        """What the inputs are called, in their order."""
        return list(named(self.x))

    def trials(self) -> Iterator[NetworkInput]:
        """Batches of several sizes and lengths, made of the real rows."""
        there = dict(zip(self.shapes, tensors(self.x), strict=True))
        # Whether a sentence may be shorter than the longest.
        longest = max((x.shape[1] for name, x in there.items() if 1 in self.shapes[name]), default=1)
        for count in (1, 2, 5):
            # Repeated, where there are fewer.
            numbers_n = torch.arange(count) % rows(self.x)
            for length in sorted({1, -(-longest // 2), longest}):
                cut = {
                    name: x[numbers_n, :length] if 1 in self.shapes[name] else x[numbers_n] for name, x in there.items()
                }
                yield cut if isinstance(self.x, dict) else next(iter(cut.values()))


def named(x: NetworkInput) -> dict[str, torch.Tensor]:
    """Inputs by the names that they have outside: those of the architecture, or INPUT where there is one."""
    return x if isinstance(x, dict) else {INPUT: x}


def trace(module: nn.Module, inputs: NamedInputs, x: NetworkInput) -> Traced:
    """Follow a network in evaluation over real rows x_N…. Raises SpecError where torch.export cannot."""
    module = module.eval().requires_grad_(False)
    # Two at least of everything that is left open: torch.export takes a one for a constant.
    example = each(lambda x_N: x_N[torch.arange(3) % rows(x)], x)
    batch = Dim("batch", min=1)
    parameters = list(inspect.signature(module.forward).parameters)
    names = list(x) if isinstance(x, dict) else parameters[:1]
    there = dict(zip(names, tensors(x), strict=True))
    ways: list[Shapes] = [{name: {0: batch} for name in names}]
    texts = {
        name: x_NT.shape[1]
        for (name, x_NT), described in zip(there.items(), inputs.values(), strict=True)
        if described.kind == "text" and x_NT.shape[1] > 1
    }
    if texts:
        ways.insert(
            0,
            {
                name: {0: batch, 1: Dim(_length(name, texts), min=1, max=texts[name])} if name in texts else {0: batch}
                for name in names
            },
        )
    why = ""
    for shapes in ways:
        try:
            if isinstance(example, dict):
                program = torch.export.export(module, (), example, dynamic_shapes=shapes)
            else:
                program = torch.export.export(module, (example,), dynamic_shapes=tuple(shapes.values()))
        except Exception as error:  # of a dozen kinds, with no common ancestor
            why = why or str(error).strip().splitlines()[0]
            continue
        _forget_places(program)
        return Traced(program, shapes, module, x)
    raise SpecError(
        "?format", f"torch.export cannot follow the network: {why}", code="cannot_export", suggestion="format=bundle"
    )


def _length(name: str, texts: dict[str, int]) -> str:
    """What the number of words of an input is called."""
    return "length" if len(texts) == 1 else f"length_of_{name}"


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
            f"the outputs of the {name} differ by {gap:.3g} from the network's own; at most {bound:g} is accepted",
            code="export_differs",
            suggestion="format=bundle holds the weights themselves",
        )
    return gap
