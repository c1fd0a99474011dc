"""Predict with a checkpoint: raw rows in, the job's preprocessing, labels or values out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from safetensors.torch import load_file
from torch import nn

from athanor.contract import Column, Generation, Schema
from athanor.files import PREPARATION, WEIGHTS
from models.data.preparation.encoders import TensorEncoder
from models.data.preparation.examples import Preparation
from models.data.preparation.stream import TokenEncoder, generate
from models.data.table import Table
from models.errors import SpecError
from models.nn.named_tensors import NetworkInput, call, split, tensors
from models.parts.feature import CellError, SequenceEncoder, of, read
from models.planning.resolve import ResolvedSpec
from models.planning.spec import JobSpec

MAX_TOKENS = 4096
BATCH = 256


@dataclass(frozen=True)
class Predictor:
    """A trained network with its preprocessing."""

    module: nn.Module
    preparation: Preparation
    columns: list[Column]
    any_length: bool = False
    """Whether the network can read rows that are longer than all training rows."""

    @classmethod
    def load(cls, resolved: ResolvedSpec, schema: Schema, folder: Path) -> "Predictor":
        """Load the weights and the preparation of a checkpoint from `folder`."""
        return cls.rebuild(resolved.spec, resolved.roles_in(schema).inputs, folder)

    @classmethod
    def rebuild(cls, spec: JobSpec, columns: list[Column], folder: Path) -> "Predictor":
        """Like `load`, for known input columns."""
        preparation = Preparation.model_validate_json((folder / PREPARATION).read_text())
        module = spec.architecture.build_for(preparation.named_inputs(), preparation.target.outputs)
        module.load_state_dict(load_file(folder / WEIGHTS))
        return cls(module.eval(), preparation, columns, spec.architecture.any_length)

    def encode(self, rows: list[Any]) -> NetworkInput:
        """x_N… of raw rows. Raises SpecError with a pointer to the cell that cannot be read."""
        # A number that overflows becomes infinite, and `answer` refuses it later.
        with np.errstate(over="ignore"):
            return self.preparation.encoder.encode(_table(rows, self.columns))

    def decode(self, rows: list[Any], y: torch.Tensor) -> list[dict[str, Any]]:
        """Predictions (labels, values or tags) from outputs y_N…. `rows` are the raw rows."""
        target = self.preparation.target
        # Count words in the raw rows, because the encoder turns a row without words into one unknown word.
        lengths = self._sequence.lengths(_table(rows, self.columns)) if target.part.per_word() else []
        return target.decode(y, lengths)

    @torch.no_grad()
    def answer(self, rows: list[Any], how: Generation | None = None) -> list[dict[str, Any]]:
        """One prediction per row; `how` is for language models. Raises SpecError with a pointer to the bad cell."""
        if self.preparation.target.part.self_supervised:
            return self._continue(rows, how or Generation())
        if how is not None and how.model_fields_set:
            name = min(how.model_fields_set)
            raise SpecError(f"/{name}", f"{name} is for language models; this job is not one", code="wrong_task")
        target = self.preparation.target
        x: NetworkInput
        x, lengths = self._read(rows) if target.part.per_word() else (self.encode(rows), [])
        self._check_size(x, rows)
        y_NK = torch.cat([call(self.module, x_B) for x_B in split(x, BATCH)])
        return target.decode(y_NK, lengths)

    def _read(self, rows: list[Any]) -> tuple[torch.Tensor, list[int]]:
        """x_NT and the number of words of each row.

        T is the length of the longest row, so that no word is cut. Raises SpecError if a row is too long.
        """
        sequence, table = self._sequence, _table(rows, self.columns)
        most = sequence.max_length if self.any_length else sequence.inputs().shape[0]
        lengths = sequence.lengths(table)
        for at, length in enumerate(lengths):
            if length > most:
                what = f"{length} words; at most {most} are read"
                raise SpecError(_cell(rows, at, sequence.name), what, code="over_limit")
        return torch.from_numpy(sequence.encode(table, max(1, *lengths))), lengths

    @property
    def _sequence(self) -> SequenceEncoder:
        encoder = self.preparation.encoder
        assert isinstance(encoder, TensorEncoder)
        return encoder.sequence

    def _check_size(self, x: NetworkInput, rows: list[Any]) -> None:
        """Raises SpecError for the first value that is not finite as a scaled float32."""
        encoder = self.preparation.encoder
        assert not isinstance(encoder, TokenEncoder)
        bad = [
            (row, place, each)
            for x_N, each in zip(tensors(x), encoder.each(), strict=True)
            for row, place in (~x_N.isfinite()).flatten(1).nonzero().tolist()[:1]
        ]
        for row, place, each in bad[:1]:
            name = each.column_at(place)
            what = f"'{name}' is too far from the training values: scaled, it is not finite"
            raise SpecError(_cell(rows, row, name), what, code="wrong_value")

    def _continue(self, rows: list[Any], how: Generation) -> list[dict[str, Any]]:
        """Continue each prompt. Every row has its own random generator, so rows do not affect each other."""
        if len(rows) * how.max_new_tokens > MAX_TOKENS:
            raise SpecError(
                "/max_new_tokens",
                f"{len(rows)} rows of {how.max_new_tokens} tokens; one request makes {MAX_TOKENS} at most",
                code="over_limit",
            )
        encoder = self.preparation.encoder
        assert isinstance(encoder, TokenEncoder)
        prompts = _table(rows, self.columns).strings(encoder.name)
        settings = how.max_new_tokens, how.temperature, how.top_k, how.seed
        return [{"text": generate(self.module, encoder, prompt or "", *settings)} for prompt in prompts]


def _table(rows: list[Any], columns: list[Column]) -> Table:
    """Rows as a table of the input columns. A row is {column: value}, or a bare value if there is only one column."""
    cells: dict[str, list[Any]] = {column.name: [] for column in columns}
    arrays: dict[str, pa.Array] = {}
    for at, row in enumerate(rows):
        if not isinstance(row, dict):
            if len(columns) > 1:
                names = ", ".join(column.name for column in columns[:10])
                raise SpecError(f"/rows/{at}", f"a row is an object with the columns {names}", code="wrong_row")
            row = {columns[0].name: row}
        unknown = sorted(row.keys() - cells.keys())
        if unknown:
            what = f"the job did not learn from a column '{unknown[0][:50]}'; leave it out"
            raise SpecError(_cell(rows, at, unknown[0]), what, code="unknown_column")
        for column in columns:
            cells[column.name].append(row.get(column.name))
    try:
        for column in columns:
            arrays[column.name] = of(column).cells(cells[column.name], column)
    except CellError as error:
        raise SpecError(_cell(rows, error.row, column.name), f"'{column.name}' {error}", code="wrong_value") from error
    return read(Table(Schema(columns=columns), pa.table(arrays)), columns)


def _cell(rows: list[Any], at: int, name: str) -> str:
    """The JSON Pointer to a cell. For a row that is a bare value, it points to the row."""
    escaped = name.replace("~", "~0").replace("/", "~1")
    return f"/rows/{at}/{escaped}" if isinstance(rows[at], dict) else f"/rows/{at}"
