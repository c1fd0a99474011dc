"""Counted n-grams, with add-k or Kneser-Ney smoothing.

Shape letters: B rows, T tokens of a row, n positions, U unique contexts, g n-grams, K tokens of the vocabulary.
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
from models.parts.architecture import AnswerLevel, Architecture, Counted, InputKind, Inputs

END = 2
"""The end mark between documents: no context reaches beyond it."""


class NGram(Architecture):
    """Counts how often each token follows the order - 1 tokens before it, in one pass, without an optimizer.

    Shapes: x_BT of token numbers to y_BTK, the log-probability of each next token; the probabilities sum to 1 over all
    K. `kneser_ney` subtracts an absolute discount D = n1 / (n1 + 2 n2) from every count of an order, where n1 and n2
    are the numbers of counts that are 1 and 2 (D = 1/2 if n1 is 0), and gives the discounted mass to the next lower
    order. In lower orders a token counts once for each different token before it; below unigrams the distribution is
    uniform. At the start of a document, where no token comes before, plain counts are used. `add_k` adds k to all K
    counts of the longest context and uses no shorter one. Kneser and Ney 1995; interpolated: Chen and Goodman 1999; the
    start of documents: Heafield et al. 2013; add-k: Lidstone 1920.

    The plan's parameters are an upper bound for a text of this length; most texts repeat n-grams and need fewer.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text"})
    levels: ClassVar[frozenset[AnswerLevel]] = frozenset({"token"})
    training_method: ClassVar[str] = "counting"
    # Looking up an n-gram is not a graph of tensors with known sizes.
    exports: ClassVar[frozenset[ExportFormat]] = frozenset({"bundle"})

    kind: Literal["ngram"] = "ngram"
    order: int = Field(5, ge=1, le=8, description="n: the tokens of an n-gram, the predicted one included")
    smoothing: Literal["kneser_ney", "add_k"] = Field(
        "kneser_ney", description="how n-grams that the training text lacks get a probability"
    )
    k: float | None = Field(None, gt=0, le=1000, description="add_k: the number added to every count; default 0.01")

    @property
    def reach(self) -> int:
        return self.order - 1

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        if self.k is not None and self.smoothing != "add_k":
            raise SpecError("/architecture/k", f"{self.smoothing} has no k", suggestion="use smoothing = add_k")
        if self.reach > inputs.shape[0]:
            raise SpecError(
                "/architecture/order",
                f"order {self.order} reads {self.reach} tokens, but dataset.context has {inputs.shape[0]}",
                suggestion="a smaller order or a larger dataset.context",
            )
        return NGramModel(self, outputs)


class NGramTable(nn.Module):
    """The n-grams of one length: their contexts, keys and counts.

    A context's number is its index in `contexts`, which holds its key: K times the number of the context that is one
    token shorter, plus the oldest token. The key of an n-gram in `ngrams` is K times the number of its context, plus
    its last token. Both are sorted in ascending order, and no key exceeds K times the number of tokens in the text.
    """

    def __init__(self) -> None:
        super().__init__()
        self.contexts: torch.Tensor
        self.ngrams: torch.Tensor
        self.counts: torch.Tensor
        self.discount: torch.Tensor
        self.register_buffer("contexts", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("ngrams", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("counts", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("discount", torch.zeros((), dtype=torch.float64))


class NGramModel(Counted):
    def __init__(self, spec: NGram, outputs: int) -> None:
        super().__init__()
        self.outputs, self.kneser_ney = outputs, spec.smoothing == "kneser_ney"
        # A probability is (count - discount) / (total + added): add-k has no discount, Kneser-Ney adds nothing.
        self.added = 0.0 if self.kneser_ney else (spec.k or 0.01) * outputs
        self.tables = nn.ModuleList(NGramTable() for _ in range(spec.order))

    def most(self, tokens: int) -> int:
        runs = [min(tokens, self.outputs**length) for length in range(len(self.tables) + 1)]
        return sum(before + 2 * run + 1 for before, run in pairwise(runs))

    @torch.no_grad()
    def count(self, tokens_n: torch.Tensor) -> float:
        at_n = torch.arange(1, len(tokens_n), device=tokens_n.device)
        context_n = torch.zeros_like(at_n)
        for length, table in enumerate(self._tables()):
            if length:
                kept_n = at_n >= length
                if length > 1:
                    kept_n &= tokens_n[at_n - length + 1] != END
                at_n = at_n[kept_n]
                key_n = context_n[kept_n] * self.outputs + tokens_n[at_n - length]
                table.contexts, context_n = torch.unique(key_n, return_inverse=True)
            else:
                table.contexts = torch.zeros(1, dtype=torch.int64, device=tokens_n.device)
            table.ngrams, counts = torch.unique(context_n * self.outputs + tokens_n[at_n], return_counts=True)
            table.counts = counts.int()
        if self.kneser_ney:
            self._count_continuations()
        return self._nats(tokens_n)

    def _count_continuations(self) -> None:
        """Replace the counts of all but the longest n-grams by continuation counts, and compute the discounts."""
        for table, longer in pairwise(self._tables()):
            # In ascending order, so that the longer n-grams still have their plain counts.
            shorter = longer.contexts[longer.ngrams // self.outputs] // self.outputs
            index = torch.searchsorted(table.ngrams, shorter * self.outputs + longer.ngrams % self.outputs)
            continuations = torch.bincount(index, minlength=len(table.ngrams)).int()
            first = table.contexts[table.ngrams // self.outputs] % self.outputs == END
            counts = torch.where(first, table.counts, continuations)
            # An n-gram that occurs only at the start of the text has no continuation count.
            table.ngrams, table.counts = table.ngrams[counts > 0], counts[counts > 0]
        for table in self._tables():
            ones, twos = int((table.counts == 1).sum()), int((table.counts == 2).sum())
            table.discount = table.discount.new_tensor(ones / (ones + 2 * twos) if ones else 0.5)

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        # Contexts repeat: the probabilities are computed once per context, and row_n maps each position to its row.
        p_UK = torch.full((1, self.outputs), 1 / self.outputs, device=x_BT.device)
        row_n = torch.zeros(x_BT.numel(), dtype=torch.int64, device=x_BT.device)
        for table, context_n in self._contexts(x_BT):
            state_n = torch.where(context_n >= 0, context_n + len(p_UK), row_n)
            state_U, new_n = torch.unique(state_n, return_inverse=True)
            known_U = state_U >= len(p_UK)
            context_U = state_U[known_U] - len(p_UK)
            # All positions with the same context have the same shorter context.
            p_UK = p_UK[torch.zeros_like(state_U).scatter_(0, new_n, row_n)]
            row_n = new_n
            p_UK[known_U] = self._interpolated(table, context_U, p_UK[known_U])
        y_BTK: torch.Tensor = p_UK.log()[row_n].view(*x_BT.shape, self.outputs)
        return y_BTK

    def _interpolated(self, table: NGramTable, context_U: torch.Tensor, p_UK: torch.Tensor) -> torch.Tensor:
        """The probabilities in contexts of this length, interpolated with those of contexts one token shorter."""
        first_U = torch.searchsorted(table.ngrams, context_U * self.outputs)
        types_U = torch.searchsorted(table.ngrams, (context_U + 1) * self.outputs) - first_U
        row_g = torch.repeat_interleave(types_U)
        index_g = torch.arange(len(row_g), device=row_g.device) + (first_U - types_U.cumsum(0) + types_U)[row_g]
        counts_g = table.counts[index_g]
        total_U = torch.zeros_like(context_U).index_add_(0, row_g, counts_g.long())
        backoff_U = self._backoff(table, types_U, total_U)
        p_UK = backoff_U.float()[:, None] * p_UK
        p_UK[row_g, table.ngrams[index_g] % self.outputs] += self._discounted(table, counts_g, total_U[row_g]).float()
        return p_UK

    def _nats(self, tokens_n: torch.Tensor) -> float:
        """The mean of -log p over a text's tokens after the first, without computing p for all other tokens."""
        t_n = tokens_n[1:]
        p_n = torch.full(t_n.shape, 1 / self.outputs, dtype=torch.float64, device=t_n.device)
        for table, context_n in self._contexts(tokens_n[None, :-1]):
            context_g = table.ngrams // self.outputs
            types_C = torch.bincount(context_g, minlength=len(table.contexts))
            total_C = torch.zeros_like(types_C).index_add_(0, context_g, table.counts.long())
            ngram_n = _find(table.ngrams, context_n * self.outputs + t_n)
            discounted_n = self._discounted(table, table.counts[ngram_n], total_C[context_n]).where(ngram_n >= 0, 0.0)
            interpolated_n = discounted_n + self._backoff(table, types_C, total_C)[context_n] * p_n
            p_n = interpolated_n.where(context_n >= 0, p_n)
        return float(-p_n.log().mean())

    def _discounted(self, table: NGramTable, counts: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
        return (counts - table.discount) / (total.double() + self.added)

    def _backoff(self, table: NGramTable, types: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
        """The probability mass that a context leaves to the shorter one: all of it if no token follows the context."""
        return ((table.discount * types + self.added) / (total.double() + self.added)).where(total > 0, 1.0)

    def _contexts(self, x_BT: torch.Tensor) -> Iterator[tuple[NGramTable, torch.Tensor]]:
        """Each table with the number of each position's context in it: -1 where there is none or it is not used."""
        context_BT = torch.zeros_like(x_BT)
        for length, table in enumerate(self._tables()):
            if not len(table.ngrams):
                return
            if length:
                key_BT = context_BT * self.outputs + _shifted(x_BT, length - 1)
                context_BT = _find(table.contexts, key_BT).where(context_BT >= 0, -1)
            used_BT = context_BT if self.kneser_ney else context_BT.where(self._longest(x_BT) == length, -1)
            yield table, used_BT.flatten()

    def _longest(self, x_BT: torch.Tensor) -> torch.Tensor:
        """The number of tokens in the longest context that each position can have."""
        tokens_BT, continues_BT = torch.zeros_like(x_BT), torch.ones_like(x_BT, dtype=torch.bool)
        for back in range(len(self.tables) - 1):
            older_BT = _shifted(x_BT, back)
            continues_BT &= older_BT != 0
            tokens_BT += continues_BT
            continues_BT &= older_BT != END
        return tokens_BT

    def _tables(self) -> Iterator[NGramTable]:
        for table in self.tables:
            assert isinstance(table, NGramTable)
            yield table


def _shifted(x_BT: torch.Tensor, back: int) -> torch.Tensor:
    """The token `back` positions before each; 0 before the first."""
    return F.pad(x_BT, (back, 0))[:, : x_BT.shape[1]]


def _find(sorted_m: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The index of each wanted value in an ascending tensor; -1 where it is absent."""
    if not len(sorted_m):
        return torch.full_like(wanted, -1)
    index = torch.searchsorted(sorted_m, wanted).clamp(max=len(sorted_m) - 1)
    return torch.where(sorted_m[index] == wanted, index, -1)
