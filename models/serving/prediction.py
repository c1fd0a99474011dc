"""Answers from a checkpoint: raw rows in, the job's own preprocessing, labels or values out."""

import base64
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
from models.data.formats import images
from models.data.preparation.encoders import MAX_WORDS
from models.data.preparation.examples import Preparation
from models.data.preparation.roles import assign
from models.data.preparation.stream import generate
from models.data.table import Layout, Table
from models.errors import DataError, SpecError
from models.planning.spec import JobSpec

MAX_ROWS = 1000
MAX_TOKENS = 4096
BATCH = 256
LARGEST, LARGEST_FLOAT32 = float(np.finfo(np.float64).max), float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Predictor:
    """A trained network that is ready to answer."""

    module: nn.Module
    preparation: Preparation
    columns: list[Column]
    any_length: bool = False
    """Whether it reads rows that are longer than all it was trained on."""

    @classmethod
    def load(cls, spec: dict[str, Any], schema: Schema, folder: Path) -> "Predictor":
        """From a checkpoint's weights and preparation in `folder`."""
        parsed = JobSpec.model_validate(spec)
        return cls.rebuild(parsed, assign(parsed.dataset, schema, parsed.architecture).inputs, folder)

    @classmethod
    def rebuild(cls, spec: JobSpec, columns: list[Column], folder: Path) -> "Predictor":
        """The same, where the input columns are known."""
        preparation = Preparation.model_validate_json((folder / PREPARATION).read_text())
        module = spec.architecture.build(preparation.inputs(), preparation.target.outputs)
        module.load_state_dict(load_file(folder / WEIGHTS))
        return cls(module.eval(), preparation, columns, spec.architecture.any_length)

    def encode(self, rows: list[Any]) -> torch.Tensor:
        """x_N… of raw rows. Raises Refusal with a pointer to what cannot be read."""
        # What overflows becomes infinite, and `answer` refuses it.
        with np.errstate(over="ignore"):
            return self.preparation.encoder.encode(_table(rows, self.columns))

    def decode(self, rows: list[Any], y: torch.Tensor) -> list[dict[str, Any]]:
        """Outputs y_N… of raw rows in the user's words."""
        target = self.preparation.target
        # Counted in the rows: what has no words was encoded as an unknown one.
        return target.decode(y, [len(self._words(row)) for row in rows] if target.part.per_word() else [])

    @torch.no_grad()
    def answer(self, rows: list[Any], how: Generation | None = None) -> list[dict[str, Any]]:
        """One prediction a row; `how` is for languages. Raises Refusal with a pointer to what cannot be read."""
        encoder = self.preparation.encoder
        if encoder.form == "stream":
            return self._continue(rows, how or Generation())
        if how is not None and how.model_fields_set:
            name = min(how.model_fields_set)
            raise SpecError(f"/{name}", f"{name} is for language models; this job is not one", code="wrong_task")
        x = self._read(rows) if self.preparation.target.part.per_word() else self.encode(rows)
        self._check_size(x)
        y_NK = torch.cat([self.module(x_B) for x_B in torch.split(x, BATCH)])
        return self.decode(rows, y_NK)

    def _read(self, rows: list[Any]) -> torch.Tensor:
        """x_NT for a tagger: as long as the longest row, for every word is to have its tag."""
        encoder, table = self.preparation.encoder, _table(rows, self.columns)
        assert encoder.form == "text"
        most = MAX_WORDS if self.any_length else encoder.length
        lengths = [len(self._words(row)) for row in rows]
        for at, length in enumerate(lengths):
            if length > most:
                raise SpecError(f"/rows/{at}", f"{length} words; at most {most} are read", code="over_limit")
        return encoder.encode(table, max(1, *lengths))

    def _words(self, row: Any) -> list[str]:
        return (row.get(self.columns[0].name) if isinstance(row, dict) else row) or []

    def _check_size(self, x: torch.Tensor) -> None:
        """Refuse the first value that float32 cannot hold once it is scaled."""
        encoder = self.preparation.encoder
        for row, place in (~x.isfinite()).flatten(1).nonzero().tolist()[:1]:
            name = encoder.numbers[place].name if encoder.form == "vector" else self.columns[0].name
            what = f"'{name}' is too far from what was learned from: scaled, it is no finite number"
            raise SpecError(f"/rows/{row}", what, code="wrong_value")

    def _continue(self, rows: list[Any], how: Generation) -> list[dict[str, Any]]:
        """What follows each prompt. Every row has a generator of its own, and does not depend on its neighbors."""
        if len(rows) * how.max_new_tokens > MAX_TOKENS:
            raise SpecError(
                "/max_new_tokens",
                f"{len(rows)} rows of {how.max_new_tokens} tokens; one request makes {MAX_TOKENS} at most",
                code="over_limit",
            )
        encoder = self.preparation.encoder
        assert encoder.form == "stream"
        prompts = _table(rows, self.columns).strings(encoder.name)
        settings = how.max_new_tokens, how.temperature, how.top_k, how.seed
        return [{"text": generate(self.module, encoder, prompt or "", *settings)} for prompt in prompts]


def _table(rows: list[Any], columns: list[Column]) -> Table:
    """Rows as a table of the input columns. A row is {column: value}, or the value itself where there is one column."""
    cells: dict[str, list[Any]] = {column.name: [] for column in columns}
    for at, row in enumerate(rows):
        if not isinstance(row, dict):
            if len(columns) > 1:
                names = ", ".join(column.name for column in columns[:10])
                raise SpecError(f"/rows/{at}", f"a row is an object with the columns {names}", code="wrong_row")
            row = {columns[0].name: row}
        unknown = sorted(row.keys() - cells.keys())
        if unknown:
            name = unknown[0].replace("~", "~0").replace("/", "~1")
            raise SpecError(f"/rows/{at}/{name}", "the job did not learn from this column", code="unknown_column")
        for column in columns:
            cells[column.name].append(_cell(row.get(column.name), column, f"/rows/{at}"))
    arrays = {column.name: pa.array(cells[column.name], _type(column)) for column in columns}
    return Table(Schema(columns=columns), pa.table(arrays))


def _cell(value: Any, column: Column, pointer: str) -> Any:
    if column.kind in ("image", "array"):
        return _pixels(value, column, pointer)
    if value is None:
        return None
    fits = {
        "number": isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST,
        "category": _is_text(value) or isinstance(value, int | float | bool),
        "text": _is_text(value),
        "tokens": isinstance(value, list) and all(_is_text(word) for word in value),
    }[column.kind]
    if not fits:
        wanted = {"tokens": "a list of words", "number": "a finite number"}.get(column.kind, "a string")
        found = _said(value)
        # A number that is no finite one.
        found = "not" if column.kind == found.removeprefix("a ") else found
        raise SpecError(pointer, f"'{column.name}' must be {wanted}; this is {found}", code="wrong_value")
    if column.kind == "category":
        return str(value).lower() if isinstance(value, bool) else str(value)
    return float(value) if column.kind == "number" else value


def _said(value: Any) -> str:
    """What kind of JSON a value is that does not fit."""
    odd = [word for word in value if not _is_text(word)] if isinstance(value, list) else []
    return f"a list with {_kind(odd[0])}" if odd else _kind(value)


def _kind(value: Any) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
        type(None): "null",
    }
    return names.get(type(value), "a string" if _is_text(value) else "no Unicode text")


def _is_text(value: Any) -> bool:
    """A string that UTF-8 can hold: JSON can also write half of a surrogate pair."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _pixels(value: Any, column: Column, pointer: str) -> bytes:
    assert column.shape is not None
    layout = Layout("image" if column.kind == "image" else "array", tuple(column.shape))
    if isinstance(value, str) and layout.kind == "image":
        return _picture(value, layout, column.name, pointer)
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.empty(0)
    size = int(np.prod(layout.shape))
    low, high = (0, 255) if layout.kind == "image" else (-LARGEST_FLOAT32, LARGEST_FLOAT32)
    if array.size != size or not np.isfinite(array).all() or array.min() < low or array.max() > high:
        shape = " × ".join(map(str, layout.shape))
        kind = "numbers from 0 to 255, or an image file in base64" if layout.kind == "image" else "numbers"
        raise SpecError(pointer, f"'{column.name}' must be a list of {shape} {kind}", code="wrong_value")
    return array.astype(layout.dtype).tobytes()


def _picture(text: str, layout: Layout, name: str, pointer: str) -> bytes:
    """The pixels of an image file in base64, with or without the head of a data: URL."""
    head, comma, body = text.partition(",") if text.startswith("data:") else ("", "", text)
    try:
        if comma and not head.endswith(";base64"):
            raise DataError("its data: URL is not in base64")
        try:
            data = base64.b64decode("".join(body.split()), validate=True)
        except ValueError as error:
            raise DataError("it is not base64") from error
        height, width, channels = (*layout.shape, 1)[:3]
        return images.decode(data, (height, width, channels)).tobytes()
    except DataError as error:
        raise SpecError(pointer, f"'{name}' cannot be read: {error}", code="wrong_value") from error


def _type(column: Column) -> pa.DataType:
    if column.kind in ("image", "array"):
        assert column.shape is not None
        return pa.binary(Layout("image" if column.kind == "image" else "array", tuple(column.shape)).width)
    if column.kind == "number":
        return pa.float64()
    return pa.list_(pa.string()) if column.kind == "tokens" else pa.string()
