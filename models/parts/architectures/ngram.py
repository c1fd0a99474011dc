"""Counted n-grams, with add-k or Kneser-Ney smoothing.

Shape letters: B rows, T tokens of a row, n positions, U different contexts, K tokens of the vocabulary.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from athanor.contract import ExportFormat
from models.errors import SpecError
from models.parts.architecture import COUNTED, AnswerLevel, Architecture, Counted, InputKind, Inputs, Recipe

END = 2
"""The mark between documents: no context reaches beyond it."""


class NGram(Architecture):
    """How often each token followed the order - 1 tokens before it: counted in one pass, without an optimizer.

    Shapes: x_BT of token numbers to y_BTK, the logarithm of the chance of each next token; the chances sum to 1 over
    all K. `kneser_ney` takes one absolute discount D = n1 / (n1 + 2 n2) from every count of an order, n1 and n2 being
    how many counts are 1 and 2 (D = 1/2 where n1 is 0), and gives what was taken to the next lower order, in which a
    token counts once for each different token before it; below single tokens all K are alike. At the start of a
    document, where nothing can come before, plain counts stand. `add_k` raises all K counts of the longest context by
    k, and looks at no shorter one. Kneser and Ney 1995; interpolated: Chen and Goodman 1999; at the start of documents
    as Heafield et al. 2013; add-k: Lidstone 1920.

    The plan's parameters are what a text of this length can hold at most; most texts repeat themselves and hold less.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text"})
    levels: ClassVar[frozenset[AnswerLevel]] = frozenset({"token"})
    recipe: ClassVar[Recipe] = COUNTED
    training_method: ClassVar[str] = "counting"
    # To look a run up is no graph of tensors of a known size.
    exports: ClassVar[frozenset[ExportFormat]] = frozenset({"bundle"})

    kind: Literal["ngram"] = "ngram"
    order: int = Field(5, ge=1, le=8, description="tokens that are counted together, the foretold one among them")
    smoothing: Literal["kneser_ney", "add_k"] = Field("kneser_ney", description="what the unseen is given")
    k: float | None = Field(None, gt=0, le=1000, description="add_k: what every count is raised by; default 0.01")

    @property
    def reach(self) -> int:
        return self.order - 1

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        if self.k is not None and self.smoothing != "add_k":
            raise SpecError("/architecture/k", f"{self.smoothing} has no k", suggestion="use smoothing = add_k")
        if self.reach > inputs.shape[0]:
            raise SpecError(
                "/architecture/order",
                f"order {self.order} looks at {self.reach} tokens, but dataset.context shows {inputs.shape[0]}",
                suggestion="a smaller order or a larger dataset.context",
            )
        return Counts(self, outputs)


class Level(nn.Module):
    """All runs of one length: contexts, and the tokens that followed them.

    A context is numbered by its place in `contexts`, and named there by a key: K times the number of the context that
    is one token shorter, plus the token before that. A run's key in `grams` is K times its context's number, plus the
    token that followed. Both are ascending, and no key is larger than K times the tokens of the text.
    """

    def __init__(self) -> None:
        super().__init__()
        self.contexts: torch.Tensor
        self.grams: torch.Tensor
        self.counts: torch.Tensor
        self.discount: torch.Tensor
        self.register_buffer("contexts", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("grams", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("counts", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("discount", torch.zeros((), dtype=torch.float64))


class Counts(Counted):
    def __init__(self, spec: NGram, outputs: int) -> None:
        super().__init__()
        self.outputs, self.kneser_ney = outputs, spec.smoothing == "kneser_ney"
        # In the share (count - discount) / (total + added); add-k discounts nothing, Kneser-Ney adds nothing.
        self.added = 0.0 if self.kneser_ney else (spec.k or 0.01) * outputs
        self.levels = nn.ModuleList(Level() for _ in range(spec.order))

    def most(self, tokens: int) -> int:
        runs = [min(tokens, self.outputs**length) for length in range(len(self.levels) + 1)]
        return sum(before + 2 * run + 1 for before, run in pairwise(runs))

    @torch.no_grad()
    def count(self, tokens_n: torch.Tensor) -> float:
        at_n = torch.arange(1, len(tokens_n), device=tokens_n.device)
        context_n = torch.zeros_like(at_n)
        for length, level in enumerate(self._levels()):
            if length:
                kept_n = at_n >= length
                if length > 1:
                    kept_n &= tokens_n[at_n - length + 1] != END
                at_n = at_n[kept_n]
                key_n = context_n[kept_n] * self.outputs + tokens_n[at_n - length]
                level.contexts, context_n = torch.unique(key_n, return_inverse=True)
            else:
                level.contexts = torch.zeros(1, dtype=torch.int64, device=tokens_n.device)
            level.grams, counts = torch.unique(context_n * self.outputs + tokens_n[at_n], return_counts=True)
            level.counts = counts.int()
        if self.kneser_ney:
            self._continue()
        return self._nats(tokens_n)

    def _continue(self) -> None:
        """Make counts of continuation of all but the longest runs' counts, and find the discounts."""
        for level, longer in pairwise(self._levels()):
            # From below: the longer runs are still counted as they are.
            shorter = longer.contexts[longer.grams // self.outputs] // self.outputs
            place = torch.searchsorted(level.grams, shorter * self.outputs + longer.grams % self.outputs)
            different = torch.bincount(place, minlength=len(level.grams)).int()
            first = level.contexts[level.grams // self.outputs] % self.outputs == END
            counts = torch.where(first, level.counts, different)
            # What stands at the start of the text alone follows nothing.
            level.grams, level.counts = level.grams[counts > 0], counts[counts > 0]
        for level in self._levels():
            ones, twos = int((level.counts == 1).sum()), int((level.counts == 2).sum())
            level.discount = level.discount.new_tensor(ones / (ones + 2 * twos) if ones else 0.5)

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        # Contexts come again and again: the chances are found once for each, and row_n says whose a position's are.
        p_UK = torch.full((1, self.outputs), 1 / self.outputs, device=x_BT.device)
        row_n = torch.zeros(x_BT.numel(), dtype=torch.int64, device=x_BT.device)
        for level, context_n in self._seen(x_BT):
            state_n = torch.where(context_n >= 0, context_n + len(p_UK), row_n)
            state_U, new_n = torch.unique(state_n, return_inverse=True)
            deeper_U = state_U >= len(p_UK)
            context_U = state_U[deeper_U] - len(p_UK)
            # All positions in a context agree on the shorter one.
            p_UK = p_UK[torch.zeros_like(state_U).scatter_(0, new_n, row_n)]
            row_n = new_n
            p_UK[deeper_U] = self._deepened(level, context_U, p_UK[deeper_U])
        y_BTK: torch.Tensor = p_UK.log()[row_n].view(*x_BT.shape, self.outputs)
        return y_BTK

    def _deepened(self, level: Level, context_U: torch.Tensor, p_UK: torch.Tensor) -> torch.Tensor:
        """The chances in contexts of this level, from those in the contexts one token shorter."""
        first_U = torch.searchsorted(level.grams, context_U * self.outputs)
        types_U = torch.searchsorted(level.grams, (context_U + 1) * self.outputs) - first_U
        row_g = torch.repeat_interleave(types_U)
        at_g = torch.arange(len(row_g), device=row_g.device) + (first_U - types_U.cumsum(0) + types_U)[row_g]
        counts_g = level.counts[at_g]
        total_U = torch.zeros_like(context_U).index_add_(0, row_g, counts_g.long())
        left_U = self._left(level, types_U, total_U)
        p_UK = left_U.float()[:, None] * p_UK
        p_UK[row_g, level.grams[at_g] % self.outputs] += self._share(level, counts_g, total_U[row_g]).float()
        return p_UK

    def _nats(self, tokens_n: torch.Tensor) -> float:
        """The mean of -log p of a text's tokens after the first, without the chances of all other tokens."""
        t_n = tokens_n[1:]
        p_n = torch.full(t_n.shape, 1 / self.outputs, dtype=torch.float64, device=t_n.device)
        for level, context_n in self._seen(tokens_n[None, :-1]):
            of_g = level.grams // self.outputs
            types_C = torch.bincount(of_g, minlength=len(level.contexts))
            total_C = torch.zeros_like(types_C).index_add_(0, of_g, level.counts.long())
            gram_n = _find(level.grams, context_n * self.outputs + t_n)
            share_n = self._share(level, level.counts[gram_n], total_C[context_n]).where(gram_n >= 0, 0.0)
            deeper_n = share_n + self._left(level, types_C, total_C)[context_n] * p_n
            p_n = deeper_n.where(context_n >= 0, p_n)
        return float(-p_n.log().mean())

    def _share(self, level: Level, counts: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
        return (counts - level.discount) / (total.double() + self.added)

    def _left(self, level: Level, types: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
        """What a context leaves to the shorter ones: all, where nothing followed it."""
        return ((level.discount * types + self.added) / (total.double() + self.added)).where(total > 0, 1.0)

    def _seen(self, x_BT: torch.Tensor) -> Iterator[tuple[Level, torch.Tensor]]:
        """Each level with the number of each position's context in it: -1 where there is none or it says nothing."""
        context_BT = torch.zeros_like(x_BT)
        for length, level in enumerate(self._levels()):
            if not len(level.grams):
                return
            if length:
                key_BT = context_BT * self.outputs + _before(x_BT, length - 1)
                context_BT = _find(level.contexts, key_BT).where(context_BT >= 0, -1)
            said_BT = context_BT if self.kneser_ney else context_BT.where(self._longest(x_BT) == length, -1)
            yield level, said_BT.flatten()

    def _longest(self, x_BT: torch.Tensor) -> torch.Tensor:
        """Tokens of the longest context that each position can have."""
        tokens_BT, goes_on_BT = torch.zeros_like(x_BT), torch.ones_like(x_BT, dtype=torch.bool)
        for back in range(len(self.levels) - 1):
            older_BT = _before(x_BT, back)
            goes_on_BT &= older_BT != 0
            tokens_BT += goes_on_BT
            goes_on_BT &= older_BT != END
        return tokens_BT

    def _levels(self) -> Iterator[Level]:
        for level in self.levels:
            assert isinstance(level, Level)
            yield level


def _before(x_BT: torch.Tensor, back: int) -> torch.Tensor:
    """The token so many places before each; 0 before the first."""
    return F.pad(x_BT, (back, 0))[:, : x_BT.shape[1]]


def _find(sorted_m: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The place of each in what is ascending; -1 for what is not there."""
    if not len(sorted_m):
        return torch.full_like(wanted, -1)
    place = torch.searchsorted(sorted_m, wanted).clamp(max=len(sorted_m) - 1)
    return torch.where(sorted_m[place] == wanted, place, -1)
