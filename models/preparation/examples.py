"""A job's data, ready for the loop: tensors of each part, and what is needed to treat new rows the same way."""

from dataclasses import dataclass, replace

import torch

from athanor.contract import Split
from models.kinds import Inputs
from models.preparation import encoders, targets
from models.preparation.encoders import Encoder, Learned
from models.preparation.roles import Roles
from models.preparation.split import Rows, divide
from models.preparation.targets import Target
from models.table import Table


class Preparation(Learned):
    """Everything learned from the training rows before the first step. Written beside the weights as JSON."""

    encoder: Encoder
    target: Target

    def inputs(self) -> Inputs:
        """What the network is built for."""
        return replace(self.encoder.inputs(), per_word=self.target.task == "tagging")


@dataclass(frozen=True)
class Examples:
    """Inputs x_N… and targets t_N of one part."""

    x: torch.Tensor
    t: torch.Tensor

    def __len__(self) -> int:
        return len(self.t)

    def to(self, device: torch.device) -> "Examples":
        return Examples(self.x.to(device), self.t.to(device))


@dataclass(frozen=True)
class Prepared:
    preparation: Preparation
    train: Examples
    val: Examples
    test: Examples


def prepare(table: Table, roles: Roles, split: Split) -> Prepared:
    """Divide the rows, learn the encoders from the training part, encode all. Raises DataError."""
    division = divide(split, table, roles)
    encoder = encoders.fit(table, roles, division.train)
    preparation = Preparation(encoder=encoder, target=targets.fit(table, roles, division.train, encoder))
    x = preparation.encoder.encode(table)

    def part(rows: Rows) -> Examples:
        return Examples(x[torch.from_numpy(rows)], preparation.target.encode(table, rows))

    return Prepared(preparation, part(division.train), part(division.val), part(division.test))
