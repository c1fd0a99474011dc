"""Batches: rows of the training part, with or without the job's augmentations.

Shape letters: N rows of the training part, B rows of a batch, K outputs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

import torch

from models.data.preparation.examples import Part
from models.nn.counter_rng import CounterRNG
from models.nn.named_tensors import NetworkInput, map_tensors, rows
from models.parts.augmentation import Augmentation, Transform
from models.parts.inputs import NamedInputs
from models.parts.loss import Criterion


@dataclass(frozen=True)
class Batch:
    """Inputs x_B… and targets t_B….

    If rows are mixed (mixup), `other` holds the targets of the partners (t_B…), and `share` each row's own share (B).
    If rows have weights, `w` holds them (B).
    """

    x: NetworkInput
    t: torch.Tensor
    other: torch.Tensor | None = None
    share: torch.Tensor | None = None
    w: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.t)

    def to(self, device: torch.device) -> "Batch":
        """The batch on `device`."""
        if self.t.device == device:
            return self
        beside = (each.to(device) if each is not None else None for each in (self.other, self.share, self.w))
        return Batch(map_tensors(lambda x: x.to(device), self.x), self.t.to(device), *beside)

    @property
    def dominant(self) -> torch.Tensor:
        """t_B…: the target with the larger share of each row."""
        if self.other is None or self.share is None:
            return self.t
        return torch.where(self.share >= 0.5, self.t, self.other)

    @property
    def targets(self) -> int:
        """The number of targets over which a criterion takes the mean: rows, or words without padding."""
        return len(self.t) if self.t.dim() == 1 else int((self.t >= 0).sum())

    def split(self, pieces: int) -> Iterator["Batch"]:
        """The same rows in at most so many batches of equal size, the last of which may be smaller."""
        size = -(-len(self) // pieces)
        for start in range(0, len(self), size):
            here = slice(start, start + size)
            beside = (None if each is None else each[here] for each in (self.other, self.share, self.w))
            yield Batch(map_tensors(itemgetter(here), self.x), self.t[here], *beside)

    def loss(self, criterion: Criterion, y_BK: torch.Tensor) -> torch.Tensor:
        """The mean of w · loss of the rows; w is 1 without weights.

        The loss of a mixed row is share · loss(y, t) + (1 − share) · loss(y, other).
        """
        if self.other is None or self.share is None:
            return weighted(criterion, y_BK, self.t, self.w)
        loss_B = self.share * row_losses(criterion, y_BK, self.t)
        loss_B = loss_B + (1 - self.share) * row_losses(criterion, y_BK, self.other)
        return (loss_B if self.w is None else self.w * loss_B).mean()


def weighted(
    criterion: Criterion, y_NK: torch.Tensor, t_N: torch.Tensor, w_N: torch.Tensor | None = None
) -> torch.Tensor:
    """The mean of w · loss of the rows."""
    return criterion(y_NK, t_N) if w_N is None else (w_N * row_losses(criterion, y_NK, t_N)).mean()


def row_losses(criterion: Criterion, y_NK: torch.Tensor, t_N: torch.Tensor) -> torch.Tensor:
    """loss_N. Every criterion is a mean over rows: for a batch of one row it is the loss of that row."""
    loss_N: torch.Tensor = torch.func.vmap(lambda y_K, t: criterion(y_K.unsqueeze(0), t.unsqueeze(0)))(y_NK, t_N)
    return loss_N


class AugmentedBatches:
    """Makes batches with augmentations applied in order. A row's result depends on seed, epoch and row index only."""

    def __init__(self, augmentations: Sequence[Augmentation], inputs: NamedInputs, seed: int) -> None:
        self.seed = seed
        self.steps: list[tuple[bool, str, Transform]] = []
        for each in augmentations:
            name = each.changes(inputs)
            assert name is not None
            self.steps.append((each.mixes, name, each.build(inputs[name])))

    def __call__(self, part: Part, rows_B: torch.Tensor, epoch: int) -> Batch:
        """The batch of the rows with the indices `rows_B`. The weight of a mixed row is mixed as its target is."""
        x_N, t_N, *w_N = part
        x_B, mixed = self._augment(x_N, rows_B, epoch, len(self.steps))
        t_B = t_N.index_select(0, rows_B)
        w_B = w_N[0].index_select(0, rows_B) if w_N else None
        if mixed is None:
            return Batch(x_B, t_B, w=w_B)
        partner_B, share_B = mixed
        if w_B is not None:
            w_B = share_B * w_B + (1 - share_B) * w_N[0].index_select(0, partner_B)
        return Batch(x_B, t_B, t_N.index_select(0, partner_B), share_B, w_B)

    def _augment(
        self, x_N: NetworkInput, rows_B: torch.Tensor, epoch: int, end: int
    ) -> tuple[NetworkInput, tuple[torch.Tensor, torch.Tensor] | None]:
        """Apply the first `end` augmentations. Returns x_B… and, if one of them mixes, (partner_B, share_B)."""
        x_B, mixed = map_tensors(lambda x: x.index_select(0, rows_B), x_N), None
        for place, (mixes, name, change) in enumerate(self.steps[:end]):
            draws = CounterRNG(self.seed, epoch, place, rows_B)
            if mixes:
                assert isinstance(x_B, torch.Tensor)
                partner_B, keep_B = draws.integers(rows(x_N)), change(x_B, draws)
                # The partner with the same augmentations applied so far.
                other_B, _ = self._augment(x_N, partner_B, epoch, place)
                assert isinstance(other_B, torch.Tensor)
                x_B = keep_B * x_B + (1 - keep_B) * other_B
                mixed = partner_B, keep_B.flatten(1).mean(1)
            elif isinstance(x_B, dict):
                x_B = x_B | {name: change(x_B[name], draws)}
            else:
                x_B = change(x_B, draws)
        return x_B, mixed
