"""Predict with a checkpoint: raw rows in, the job's preprocessing, labels or values out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from athanor.contract import Column, Generation, Remarks, Schema
from athanor.files import PREPARATION, WEIGHTS
from models.data.preparation.encoders import TensorEncoder
from models.data.preparation.examples import Preparation
from models.data.preparation.stream import TokenEncoder, generate
from models.data.table import Table
from models.errors import SpecError
from models.nn.named_tensors import NetworkInput, call, split, tensors
from models.parts.feature import SequenceEncoder
from models.planning.resolve import ResolvedSpec
from models.planning.spec import JobSpec
from models.serving.cells import Pointer, Reader, pointer_in
from models.serving.remarks import Collector

MAX_TOKENS = 4096
BATCH = 256


@dataclass(frozen=True)
class Predictor:
    """A trained network with its preprocessing."""

    module: nn.Module
    preparation: Preparation
    reader: Reader
    any_length: bool = False
    """Whether the network can read rows that are longer than all training rows."""

    @property
    def columns(self) -> list[Column]:
        """The input columns."""
        return self.reader.inputs

    @property
    def self_supervised(self) -> bool:
        """Whether it continues a text, in place of answering about a row."""
        return self.preparation.target.part.self_supervised

    @classmethod
    def load(cls, resolved: ResolvedSpec, schema: Schema, folder: Path) -> "Predictor":
        """Load the weights and the preparation of a checkpoint from `folder`."""
        roles = resolved.roles_in(schema)
        return cls._load(resolved.spec, Reader.of(roles.inputs, roles.target, schema), folder)

    @classmethod
    def rebuild(cls, spec: JobSpec, columns: list[Column], folder: Path) -> "Predictor":
        """Like `load`, for known input columns."""
        return cls._load(spec, Reader(columns), folder)

    @classmethod
    def _load(cls, spec: JobSpec, reader: Reader, folder: Path) -> "Predictor":
        preparation = Preparation.model_validate_json((folder / PREPARATION).read_text())
        module = spec.architecture.build_for(preparation.named_inputs(), preparation.target.outputs)
        module.load_state_dict(load_file(folder / WEIGHTS))
        return cls(module.eval(), preparation, reader, spec.architecture.any_length)

    def encode(self, rows: list[Any]) -> NetworkInput:
        """x_N… of raw rows. Raises SpecError with a pointer to the cell that cannot be read."""
        return self._encode(self.reader.of_rows(rows))

    def decode(self, rows: list[Any], y: torch.Tensor) -> list[dict[str, Any]]:
        """Predictions (labels, values or tags) from outputs y_N…. `rows` are the raw rows."""
        target = self.preparation.target
        # Count words in the raw rows, because the encoder turns a row without words into one unknown word.
        lengths = self._sequence.lengths(self.reader.of_rows(rows)) if target.part.per_word() else []
        return target.decode(y, lengths)

    def collector(self, absent: list[str]) -> Collector:
        """What collects the remarks about predictions. `absent` are inputs that no row has."""
        return Collector(self.preparation.encoder, self.preparation.target, self.columns, absent)

    def answer(self, rows: list[Any], how: Generation | None = None) -> list[dict[str, Any]]:
        """One prediction per row; `how` is for language models. Raises SpecError with a pointer to the bad cell."""
        return self.examine(rows, how)[0]

    def examine(self, rows: list[Any], how: Generation | None = None) -> tuple[list[dict[str, Any]], Remarks]:
        """Like `answer`, with what is worth knowing about the predictions."""
        self.check_task(how)
        cells, absent = self.reader.rows(rows)
        pointer, collector = pointer_in(rows), self.collector(absent)
        return self.predict(self.reader.table(cells, pointer), collector, pointer, how=how), collector.remarks()

    def check_task(self, how: Generation | None) -> None:
        """Raises SpecError for options of text generation where the job makes no text."""
        if how is not None and how.model_fields_set and not self.preparation.target.part.self_supervised:
            name = min(how.model_fields_set)
            raise SpecError(f"/{name}", f"{name} is for language models; this job is not one", code="wrong_task")

    @torch.no_grad()
    def predict(
        self, table: Table, collector: Collector, pointer: Pointer, start: int = 0, how: Generation | None = None
    ) -> list[dict[str, Any]]:
        """One prediction for each row of cells that were read. The first row has the number `start` for `collector`.

        Raises SpecError with a pointer to the bad cell.
        """
        collector.see_rows(table, start)
        target = self.preparation.target
        if target.part.self_supervised:
            return self._continue(table, how or Generation())
        x: NetworkInput
        x, lengths = self._read(table, pointer) if target.part.per_word() else (self._encode(table), [])
        self._check_size(x, pointer)
        y_NK = torch.cat([call(self.module, x_B) for x_B in split(x, BATCH)])
        if target.column is not None and target.column in table.data.column_names:
            collector.see_outputs(table, y_NK)
        return target.decode(y_NK, lengths)

    def _encode(self, table: Table) -> NetworkInput:
        # A number that overflows becomes infinite, and `predict` refuses it later.
        with np.errstate(over="ignore"):
            return self.preparation.encoder.encode(table)

    def _read(self, table: Table, pointer: Pointer) -> tuple[torch.Tensor, list[int]]:
        """x_NT and the number of words of each row.

        T is the length of the longest row, so that no word is cut. Raises SpecError if a row is too long.
        """
        sequence = self._sequence
        most = sequence.max_length if self.any_length else sequence.inputs().shape[0]
        lengths = sequence.lengths(table)
        for at, length in enumerate(lengths):
            if length > most:
                what = f"{length} words; at most {most} are read"
                raise SpecError(pointer(at, sequence.name), what, code="over_limit")
        return torch.from_numpy(sequence.encode(table, max(1, *lengths))), lengths

    @property
    def _sequence(self) -> SequenceEncoder:
        encoder = self.preparation.encoder
        assert isinstance(encoder, TensorEncoder)
        return encoder.sequence

    def _check_size(self, x: NetworkInput, pointer: Pointer) -> None:
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
            raise SpecError(pointer(row, name), what, code="wrong_value")

    def _continue(self, table: Table, how: Generation) -> list[dict[str, Any]]:
        """Continue each prompt. Every row has its own random generator, so rows do not affect each other."""
        if table.rows * how.max_new_tokens > MAX_TOKENS:
            raise SpecError(
                "/max_new_tokens",
                f"{table.rows} rows of {how.max_new_tokens} tokens; one request makes {MAX_TOKENS} at most",
                code="over_limit",
            )
        encoder = self.preparation.encoder
        assert isinstance(encoder, TokenEncoder)
        prompts, settings = table.strings(encoder.name), (how.max_new_tokens, how.temperature, how.top_k, how.seed)
        return [{"text": generate(self.module, encoder, prompt or "", *settings)} for prompt in prompts]
