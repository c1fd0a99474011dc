"""Batches: rows of the training part, with or without the job's augmentations.

Shape letters: N rows of the training part, B rows of a batch, K outputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from models.nn.counter_rng import CounterRNG
from models.nn.named_tensors import NetworkInput, map_tensors, rows
from models.parts.augmentation import Augmentation, Transform
from models.parts.inputs import NamedInputs
from models.parts.loss import Criterion


@dataclass(frozen=True)
class Batch:
    """Inputs x_B… and targets t_B….

    If rows are mixed (mixup), `other` holds the targets of the partners (t_B…), and `share` each row's own share (B).
    """

    x: NetworkInput
    t: torch.Tensor
    other: torch.Tensor | None = None
    share: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.t)

    def to(self, device: torch.device) -> "Batch":
        """The batch on `device`."""
        if self.t.device == device:
            return self
        other, share = (each.to(device) if each is not None else None for each in (self.other, self.share))
        return Batch(map_tensors(lambda x: x.to(device), self.x), self.t.to(device), other, share)

    @property
    def dominant(self) -> torch.Tensor:
        """t_B…: the target with the larger share of each row."""
        if self.other is None or self.share is None:
            return self.t
        return torch.where(self.share >= 0.5, self.t, self.other)

    def loss(self, criterion: Criterion, y_BK: torch.Tensor) -> torch.Tensor:
        """The mean loss of the rows. The loss of a mixed row is share · loss(y, t) + (1 − share) · loss(y, other)."""
        if self.other is None or self.share is None:
            return criterion(y_BK, self.t)
        # Every criterion is a mean over rows. For a batch of one row it is the loss of that row.
        loss_B: torch.Tensor = torch.func.vmap(
            lambda y_K, t, other, share: (
                share * criterion(y_K.unsqueeze(0), t.unsqueeze(0))
                + (1 - share) * criterion(y_K.unsqueeze(0), other.unsqueeze(0))
            )
        )(y_BK, self.t, self.other, self.share)
        return loss_B.mean()


class AugmentedBatches:
    """Makes batches with augmentations applied in order. A row's result depends on seed, epoch and row index only."""

    def __init__(self, augmentations: Sequence[Augmentation], inputs: NamedInputs, seed: int) -> None:
        self.seed = seed
        self.steps: list[tuple[bool, str, Transform]] = []
        for each in augmentations:
            name = each.changes(inputs)
            assert name is not None
            self.steps.append((each.mixes, name, each.build(inputs[name])))

    def __call__(self, x_N: NetworkInput, t_N: torch.Tensor, rows_B: torch.Tensor, epoch: int) -> Batch:
        """The batch of the rows with the indices `rows_B`."""
        x_B, mixed = self._augment(x_N, rows_B, epoch, len(self.steps))
        t_B = t_N.index_select(0, rows_B)
        if mixed is None:
            return Batch(x_B, t_B)
        partner_B, share_B = mixed
        return Batch(x_B, t_B, t_N.index_select(0, partner_B), share_B)

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
