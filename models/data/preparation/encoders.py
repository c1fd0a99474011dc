"""Input columns as tensors. What an encoder learned from the training rows travels with the checkpoint as JSON.

Shape letters: N rows, F features, C channels, H height, W width, T words.
"""

from collections import Counter
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field

from models.data.preparation.encoded import Learned as Learned
from models.data.preparation.roles import Roles
from models.data.preparation.split import Rows
from models.data.preparation.stream import TokenEncoder
from models.data.scales import divisor
from models.data.table import Table
from models.parts.architecture import Inputs
from models.parts.tokenizers.words import tokenize

MAX_WORDS = 512
"""Longer texts are cut: the tail of a few long rows would set the cost of all."""


class NumberScale(Learned):
    name: str
    mean: float
    std: float


class CategoryValues(Learned):
    name: str
    values: list[str]


class VectorEncoder(Learned):
    """Numbers to zero mean and unit variance (missing: the mean); categories one-hot (unseen: all zero)."""

    form: Literal["vector"] = "vector"
    numbers: list[NumberScale]
    categories: list[CategoryValues]

    @classmethod
    def fit(cls, table: Table, roles: Roles, train: Rows) -> "VectorEncoder":
        numbers, categories = [], []
        for column in roles.inputs:
            if column.kind == "number":
                values = table.numbers(column.name)[train]
                values = values[np.isfinite(values)]
                mean, std = (float(values.mean()), float(values.std())) if len(values) else (0.0, 1.0)
                numbers.append(NumberScale(name=column.name, mean=mean, std=float(divisor(std, mean, len(values)))))
            else:
                seen = table.strings(column.name)
                known = sorted({value for row in train if (value := seen[row]) is not None})
                categories.append(CategoryValues(name=column.name, values=known))
        return cls(numbers=numbers, categories=categories)

    def inputs(self) -> Inputs:
        return Inputs("vector", (len(self.numbers) + sum(len(column.values) for column in self.categories),))

    def encode(self, table: Table) -> torch.Tensor:
        """x_NF, float32."""
        parts = [
            np.nan_to_num((table.numbers(scale.name) - scale.mean) / scale.std, nan=0.0)[:, None]
            for scale in self.numbers
        ]
        for column in self.categories:
            place = {value: at for at, value in enumerate(column.values)}
            hot = np.zeros((table.rows, len(place)))
            for row, value in enumerate(table.strings(column.name)):
                if value is not None and value in place:
                    hot[row, place[value]] = 1.0
            parts.append(hot)
        return torch.from_numpy(np.concatenate(parts, 1).astype(np.float32))


class ArrayEncoder(Learned):
    """Fixed-size arrays, flattened, every feature to zero mean and unit variance."""

    form: Literal["array"] = "array"
    name: str
    mean: list[float]
    std: list[float]

    @classmethod
    def fit(cls, table: Table, roles: Roles, train: Rows) -> "ArrayEncoder":
        name = roles.inputs[0].name
        values = table.arrays(name)[train].reshape(len(train), -1).astype(np.float64)
        mean = values.mean(0)
        return cls(name=name, mean=mean.tolist(), std=divisor(values.std(0), mean, len(values)).tolist())

    def inputs(self) -> Inputs:
        return Inputs("vector", (len(self.mean),))

    def encode(self, table: Table) -> torch.Tensor:
        """x_NF, float32."""
        flat = table.arrays(self.name).reshape(table.rows, -1).astype(np.float32)
        return torch.from_numpy((flat - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32))


class ImageEncoder(Learned):
    """Images, each channel to zero mean and unit variance over the training rows."""

    form: Literal["image"] = "image"
    name: str
    shape: tuple[int, int, int] = Field(description="C, H, W")
    mean: list[float]
    std: list[float]

    @classmethod
    def fit(cls, table: Table, roles: Roles, train: Rows) -> "ImageEncoder":
        column = roles.inputs[0]
        assert column.shape is not None
        height, width, channels = (*column.shape, 1)[:3]
        values = table.arrays(column.name)[train].reshape(-1, channels)
        mean = values.mean(0, dtype=np.float64)
        std = values.std(0, dtype=np.float64)
        return cls(
            name=column.name,
            shape=(channels, height, width),
            mean=mean.tolist(),
            std=divisor(std, mean, len(values)).tolist(),
        )

    def inputs(self) -> Inputs:
        return Inputs("image", self.shape)

    def encode(self, table: Table) -> torch.Tensor:
        """x_NCHW, float32."""
        channels, height, width = self.shape
        pixels_NHWC = table.arrays(self.name).reshape(table.rows, height, width, channels).astype(np.float32)
        x_NHWC = (pixels_NHWC - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return torch.from_numpy(np.ascontiguousarray(x_NHWC.transpose(0, 3, 1, 2)))


class TextEncoder(Learned):
    """Words to numbers. 0 pads, 1 is any word the training rows do not have."""

    form: Literal["text"] = "text"
    name: str
    split: bool = Field(description="rows are sentences to be cut into words, not lists of words")
    length: int
    words: list[str] = Field(description="the word numbered i + 2, most frequent first")
    rare: int = Field(description="number of the first word that was seen once")

    @classmethod
    def fit(cls, table: Table, roles: Roles, train: Rows) -> "TextEncoder":
        column = roles.inputs[0]
        rows = _words(table, column.name, column.kind == "text")
        counts = Counter(word for row in train for word in rows[row])
        # Ties by spelling: the order must not hang on which row came first.
        ordered = sorted(counts, key=lambda word: (-counts[word], word))
        # Of all rows: a test sentence that was cut at the longest of training would be measured on its first words.
        length = min(MAX_WORDS, max(map(len, rows), default=1) or 1)
        rare = 2 + sum(1 for word in ordered if counts[word] > 1)
        return cls(name=column.name, split=column.kind == "text", length=length, words=ordered, rare=rare)

    def inputs(self) -> Inputs:
        return Inputs("text", (self.length,), vocabulary=len(self.words) + 2, rare=self.rare)

    def encode(self, table: Table, length: int | None = None) -> torch.Tensor:
        """x_NT, int64, cut at `length` words or at those of the longest row learned from; no word is one unknown."""
        number, length = {word: at for at, word in enumerate(self.words, 2)}, length or self.length
        x_NT = torch.zeros(table.rows, length, dtype=torch.int64)
        for row, words in enumerate(_words(table, self.name, self.split)):
            numbers = [number.get(word, 1) for word in words[:length]] or [1]
            x_NT[row, : len(numbers)] = torch.tensor(numbers)
        return x_NT


def _words(table: Table, name: str, split: bool) -> list[list[str]]:
    if split:
        return [tokenize(text or "") for text in table.strings(name)]
    return [words or [] for words in table.tokens(name)]


Encoder = Annotated[
    VectorEncoder | ArrayEncoder | ImageEncoder | TextEncoder | TokenEncoder, Field(discriminator="form")
]


def fit(table: Table, roles: Roles, train: Rows) -> Encoder:
    """Learn an encoder for the job's inputs from the training rows alone."""
    match roles.form:
        case "vector":
            return VectorEncoder.fit(table, roles, train)
        case "array":
            return ArrayEncoder.fit(table, roles, train)
        case "image":
            return ImageEncoder.fit(table, roles, train)
        case "text":
            return TextEncoder.fit(table, roles, train)
        case "stream":
            assert roles.language is not None
            return TokenEncoder.fit(table, roles.target.name, roles.language, train)
