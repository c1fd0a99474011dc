"""Remarks about predictions, collected batch by batch: warnings and scores."""

from collections.abc import Sequence

import torch

from athanor.contract import Column, Remarks, Warned
from models.data.preparation.encoders import Encoder
from models.data.preparation.stream import TokenEncoder
from models.data.table import Table
from models.parts.oddity import Oddity
from models.parts.target import FittedTarget
from models.serving.scorer import Scorer

MOST_WARNINGS = 50


class Collector:
    """Collects what is worth knowing about predictions. `absent` are inputs that no row has."""

    def __init__(self, encoder: Encoder, target: FittedTarget, columns: list[Column], absent: Sequence[str]) -> None:
        self._encoder, self._absent = encoder, set(absent)
        self._columns = {column.name: column for column in columns}
        self._odd: dict[tuple[str, str], Oddity] = {}
        self._scorer = Scorer(target)

    def see_rows(self, table: Table, start: int = 0) -> None:
        """Rows that will be encoded. The first has the number `start`, from 0."""
        if isinstance(self._encoder, TokenEncoder):
            found = [(self._encoder.name, each) for each in self._encoder.odd(table)]
        else:
            found = [
                (column.name, each)
                for encoder in self._encoder.each()
                for column in encoder.columns
                for each in column.odd(table, self._columns[column.name])
            ]
        for name, new in found:
            old = self._odd.get((name, new.code))
            new = new.moved(start)
            self._odd[name, new.code] = old.followed_by(new) if old else new

    def see_outputs(self, table: Table, y: torch.Tensor) -> None:
        """Outputs of rows that have the target column."""
        self._scorer.see(table, y)

    def remarks(self) -> Remarks:
        warnings = [warned for (name, _), odd in self._odd.items() if (warned := odd.warned(name))]
        told = [self._as_absent(warned) for warned in warnings[:MOST_WARNINGS]]
        if (more := len(warnings) - MOST_WARNINGS) > 0:
            told.append(Warned(code="more_warnings", message=f"{more:,} more warnings are left out"))
        return Remarks(warnings=told, scores=self._scorer.scores())

    def _as_absent(self, warned: Warned) -> Warned:
        if warned.column not in self._absent or warned.code != "missing_values":
            return warned
        suggestion = f"add the column '{warned.column}' to the rows"
        return warned.model_copy(update={"code": "missing_column", "suggestion": suggestion})
