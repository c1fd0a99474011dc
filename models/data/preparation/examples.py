"""A job's data as tensors of each part, and the encoders that prepare new rows in the same way."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from athanor.contract import Warned
from models.data.checks import inspect_job
from models.data.columns import field as field_of
from models.data.columns import shown
from models.data.preparation import encoders, reuse, stream
from models.data.preparation.encoders import Encoder
from models.data.preparation.roles import Roles
from models.data.preparation.split import divide
from models.data.table import Rows, Table
from models.errors import DataError
from models.nn.named_tensors import NetworkInput, map_tensors, tensors
from models.parts.feature import read
from models.parts.inputs import PAD, UNKNOWN, NamedInputs
from models.parts.learned import Learned
from models.parts.oddity import MISSING
from models.parts.split import Division, Split
from models.parts.target import FittedTarget, Language, fitted_union

if TYPE_CHECKING:
    AnyTarget = FittedTarget
else:
    AnyTarget = fitted_union()


_FEW = 5
"""Training rows of which one may have most of the weight."""
Part = tuple[NetworkInput, torch.Tensor] | tuple[NetworkInput, torch.Tensor, torch.Tensor]
"""Inputs x_N… and targets t_N… of one part, and the weights w_N of its rows if the job has any."""


class Preparation(Learned):
    """What is learned from the training rows before the first step. The checkpoint stores it as JSON."""

    encoder: Encoder
    target: AnyTarget

    def named_inputs(self) -> NamedInputs:
        """The inputs for which the network is built."""
        per_word = self.target.part.per_word()
        return {name: replace(each, per_word=per_word) for name, each in self.encoder.named_inputs().items()}


@dataclass(frozen=True)
class Examples:
    """Inputs x_N… and targets t_N… of one part, and the weights w_N of its rows if the job has any."""

    x: NetworkInput
    t: torch.Tensor
    w: torch.Tensor | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        return len(self.t)

    def to(self, device: torch.device) -> "Examples":
        w = None if self.w is None else self.w.to(device)
        return Examples(map_tensors(lambda x: x.to(device), self.x), self.t.to(device), w=w)

    def part(self) -> Part:
        """The tensors alone."""
        return (self.x, self.t) if self.w is None else (self.x, self.t, self.w)

    def epoch(self, seed: int, number: int) -> Part:
        """The tensors of an epoch. Their number of rows is constant, and they depend only on seed and epoch."""
        return self.part()


@dataclass(frozen=True)
class Text(Examples):
    """Windows of a text, and all tokens of the text, with end marks between documents."""

    x: torch.Tensor
    tokens: torch.Tensor

    def to(self, device: torch.device) -> "Text":
        return replace(self, x=self.x.to(device), t=self.t.to(device), tokens=self.tokens.to(device))


@dataclass(frozen=True)
class Stream(Text):
    """Windows of a running text, with a different offset in each epoch. `x` and `t` have offset 0."""

    reach: int = 0

    @classmethod
    def of(cls, tokens_n: torch.Tensor, context: int, reach: int = 0) -> "Stream":
        rows = stream.windows_of(len(tokens_n), context)
        return cls(*stream.windows(tokens_n, context, rows, reach=reach), tokens_n, reach)

    def epoch(self, seed: int, number: int) -> Part:
        """Windows from an offset drawn from (seed, number). The last window is padded if the text does not fill it."""
        context = self.x.shape[1] - self.reach
        generator = torch.Generator().manual_seed((seed << 24) + number)
        offset = int(torch.randint(min(context, len(self.tokens) - 1), (), generator=generator))
        return stream.windows(self.tokens, context, len(self), offset, self.reach)


@dataclass(frozen=True)
class Prepared:
    preparation: Preparation
    train: Examples
    val: Examples
    test: Examples
    warnings: Sequence[Warned] = ()

    def unknown_words(self) -> dict[str, float]:
        """Of the words that the network reads, the share that no training row has, of each part that is held out."""
        inputs = self.preparation.encoder.named_inputs().values()
        found = {}
        for part, examples in {"val": self.val, "test": self.test}.items():
            texts = [x for x, each in zip(tensors(examples.x), inputs, strict=True) if each.variable_length]
            if words := sum(int((x_NT != PAD).sum()) for x_NT in texts):
                found[part] = sum(int((x_NT == UNKNOWN).sum()) for x_NT in texts) / words
        return found


def prepare(
    table: Table,
    roles: Roles,
    split: Split,
    fold: int = 0,
    kept: Preparation | None = None,
    *,
    is_inspected: bool = False,
) -> Prepared:
    """Divide the rows, learn the encoders from the training part, and encode all parts. Raises DataError.

    With `kept`, the encoders are those of an earlier training. Raises SpecError if they cannot read the columns. If
    `is_inspected`, the result has warnings about the rows.
    """
    table = read(table, [*roles.columns, *([table.column(roles.part)] if roles.part is not None else [])])
    if roles.language is not None:
        return _prepare_language(table, roles, roles.language, split, fold, kept)
    division = divide(split, table, roles, fold)
    known = reuse.column_encoder(kept.encoder, roles) if kept else None
    encoder = known.after(table, division.train) if known else encoders.fit(table, roles, division.train)
    target = reuse.target(kept.target, roles, roles.inputs[0].name) if kept else None
    target = target or fit_target(table, roles, division.train, encoder)
    preparation = Preparation(encoder=encoder, target=target)
    x = preparation.encoder.encode(table)
    weights_N = None if roles.weight is None else table.numbers(roles.weight.name)

    def part(rows: Rows, name: str) -> Examples:
        here = torch.from_numpy(rows)
        w = None if weights_N is None else _weights(weights_N, rows, name)
        return Examples(map_tensors(lambda x: x[here], x), preparation.target.encode(table, rows), w=w)

    train, val, test = part(division.train, "training"), part(division.val, "validation"), part(division.test, "test")
    warnings: list[Warned] = []
    if is_inspected:
        warnings = [*_inspected(table, roles, division), *_unlike_training(table, roles, division, encoder)]
        if roles.weight is not None and weights_N is not None:
            warnings += _heavy(weights_N, division.train, roles.weight.name)
    return Prepared(preparation, train, val, test, warnings)


def _weights(weights_N: npt.NDArray[np.float64], rows: Rows, part: str) -> torch.Tensor:
    """w_n, float32: the weights of the rows of a part, divided by their mean. Raises DataError.

    So the mean of weighted losses is the weighted mean of the losses, in every part.
    """
    weights_n = weights_N[rows]
    wrong = rows[~(weights_n >= 0)]
    if len(wrong):
        raise DataError(f"Row {wrong[0] + 1} has the weight {weights_N[wrong[0]]:g}; a weight is a number from 0 on.")
    if not len(rows):
        return torch.empty(0)
    # Divided first, because the sum of large ones is infinite.
    largest = weights_n.max()
    if largest == 0:
        raise DataError(f"All {len(rows):,} rows of the {part} part have the weight 0; give some of them another.")
    weights_n = weights_n / largest
    return torch.from_numpy((weights_n / weights_n.mean()).astype(np.float32))


def _heavy(weights_N: npt.NDArray[np.float64], train: Rows, name: str) -> list[Warned]:
    """A warning if a single row has more weight than all others of the training part together."""
    weights_n = weights_N[train] / weights_N[train].max()
    place, share = int(weights_n.argmax()), float(weights_n.max() / weights_n.sum())
    if len(train) < _FEW or share <= 0.5:
        return []
    row = int(train[place]) + 1
    return [
        Warned(
            code="heavy_row",
            column=field_of(name),
            message=f"row {row:,} has {share:.0%} of all weights in column {shown(name)} of the training part; a job "
            "learns little else",
            rows=[row],
            suggestion="check the unit of its weight",
        )
    ]


def _inspected(table: Table, roles: Roles, division: Division) -> list[Warned]:
    return inspect_job(
        table,
        roles.inputs,
        roles.target,
        {"train": division.train, "val": division.val, "test": division.test},
        has_classes=roles.asks.stratifies,
        drawn=roles.part is None,
        known=roles.target.name == table.schema.target,
    )


def _unlike_training(table: Table, roles: Roles, division: Division, encoder: Encoder) -> list[Warned]:
    """What the validation and test rows have that the network cannot have learned, such as unknown words."""
    rows = np.concatenate([division.val, division.test])
    held = Table(table.schema, table.data.take(pa.array(rows)))
    known = {column.name: column for column in roles.inputs}
    found = []
    for each in encoder.each() if not isinstance(encoder, stream.TokenEncoder) else []:
        for column in each.columns:
            for odd in column.odd(held, known[column.name]):
                # Missing values were told when the file was read.
                if odd.code != MISSING and (warned := odd.warned(column.name)) is not None:
                    here = [int(rows[row - 1]) + 1 for row in warned.rows]
                    message = f"{warned.message} (in the validation and test parts)"
                    found.append(warned.model_copy(update={"rows": here, "message": message}))
    return found


def fit_target(table: Table, roles: Roles, train: Rows, encoder: Encoder) -> FittedTarget:
    """Learn how to encode the target column. `encoder` is that of the inputs."""
    first = next(iter(encoder.named_inputs().values()))
    return roles.asks.fit(table, roles.target, train, first, roles.inputs[0].name)


def _prepare_language(
    table: Table, roles: Roles, language: Language, split: Split, fold: int, kept: Preparation | None
) -> Prepared:
    known = reuse.token_encoder(kept.encoder, roles, language) if kept else None
    if language.documents == "lines":
        division = divide(split, table, roles, fold)
        encoder = known or stream.TokenEncoder.fit(table, roles.target.name, language, division.train)
        preparation = Preparation(encoder=encoder, target=fit_target(table, roles, division.train, encoder))

        def part(rows: Rows) -> Examples:
            return Text(*encoder.lines(table, rows))

        return Prepared(preparation, part(division.train), part(division.val), part(division.test))
    encoder, train, val, test = stream.read(table, roles, language, split, known)
    context, reach = language.context, language.reach
    held = [
        Examples(*stream.windows(each, context, -(-max(0, len(each) - 1) // context), reach=reach))
        for each in (val, test)
    ]
    target = fit_target(table, roles, np.arange(0), encoder)
    return Prepared(Preparation(encoder=encoder, target=target), Stream.of(train, context, reach), held[0], held[1])
