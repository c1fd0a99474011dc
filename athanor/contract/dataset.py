"""Datasets: an upload, its columns, and its first rows."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import FailFast, Field, JsonValue

from athanor.contract.base import Answer, Frozen
from athanor.contract.encodings import NamedEncoding
from athanor.contract.jobspec import Name, Part

T = TypeVar("T")


class FirstFault(FailFast):
    """pydantic's FailFast, which can stand in a union."""

    def __hash__(self) -> int:
        return hash(self.fail_fast)


Many = Annotated[list[T], FirstFault()]
"""A list that may be long. A wrong one has one error, not one for each item: it may come from a child process."""


class Hints(Frozen):
    """How to read a file. What is left out, the service finds out itself, and says in `dialect` of the dataset."""

    encoding: NamedEncoding | None = Field(
        None, description="text files: the encoding; also by another of its names, such as cp1251 or latin-1"
    )
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        None, description="CSV and TSV: the character between the values of a row"
    )
    header: bool | None = Field(None, description="CSV and TSV: whether the first row names the columns")
    decimal: Literal[".", ","] | None = Field(None, description="CSV and TSV: the decimal mark of numbers")
    features: Mapping[Name, Part] = Field(
        {}, max_length=1000, description="how columns are read: a feature of the catalog by the name of the column"
    )


class Stored(Answer):
    """How the rows of a column of images or arrays are stored. A predict request sends such rows, or pictures."""

    kind: Literal["image", "array"]
    shape: Many[int]
    pixels: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="how a picture becomes pixels: resize, ground (below what is transparent), range (of 16 bits)",
    )


class Column(Answer):
    name: str
    kind: str = Field(description="how the column is read: a feature of the catalog")
    settings: dict[str, JsonValue] = Field(
        default_factory=dict, description="fields of the feature that differ from its defaults"
    )
    guess: str | None = Field(
        None, description="why the column may have to be read in another way, and what would settle it"
    )
    left_out: str | None = Field(None, description="why a job does not learn from the column unless its spec names it")
    integer: bool = Field(False, description="number: whether every value is an integer")
    shape: Many[int] | None = Field(None, description="image: [height, width, channels]; array: the shape of one row")
    stored: Stored | None = Field(None, description="image, array: how the rows are stored, if not as they are read")
    missing: int = 0
    missing_by_part: dict[str, dict[str, int]] | None = Field(
        None, description="missing values by each column that names train, val and test, and by its values"
    )
    distinct: int | None = Field(None, description="number of distinct values; null if there are too many to count")
    classes: Many[str] | None = Field(
        None, description="the distinct values, or words of lists, sorted, if they are few"
    )
    counts: Many[int] | None = Field(None, description="rows of each class, in the order of classes")
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    max_length: int | None = Field(None, description="text, tokens: number of words in the longest row")
    vocabulary: int | None = Field(
        None, description="text, tokens: number of distinct words; null if there are too many to count"
    )
    unseen: float | None = Field(
        None,
        description="text, tokens: the share of words of new rows that no row has; an estimate (Good 1953): the share "
        "of those that occur once",
    )
    words: int | None = Field(None, description="text: number of words in all rows")
    sampled: int | None = Field(
        None,
        description="text: rows whose words were counted, if not all; words and vocabulary are then estimates",
    )
    characters: int | None = Field(None, description="text: number of characters in all rows")
    alphabet: int | None = Field(None, description="text: number of distinct characters")


class Schema(Answer):
    columns: Many[Column]
    target: str | None = Field(
        None, description="suggested target: a column named like one (target, label, …), else the last that can be one"
    )
    part: str | None = Field(None, description="column that holds train, val or test, made from the files' names")


class Warned(Answer):
    """Something odd that does not prevent training. `rows` are numbered from 1, without the header."""

    code: str
    message: str
    column: str | None = Field(None, description="the column in which it was seen")
    rows: Many[int] = Field(default_factory=list, description="the first few rows in which it was seen")
    suggestion: str | None = Field(None, description="what would mend it")


class Dataset(Answer):
    id: str
    name: str
    format: str
    rows: int
    bytes: int
    sha256: str = Field(description="of the uploaded bytes")
    created_at: str
    dialect: dict[str, JsonValue] = Field(
        default_factory=dict, description="how the file was read: encoding, delimiter, header and others"
    )
    schema_: Schema = Field(alias="schema")
    warnings: Many[Warned] = Field(default_factory=list)


class Preview(Answer):
    columns: Many[str]
    rows: Many[Many[JsonValue]]
