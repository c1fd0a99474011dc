"""Datasets: an upload, its columns, and its first rows."""

from pydantic import Field, JsonValue

from athanor.contract.base import Answer


class Column(Answer):
    name: str
    kind: str = Field(description="how the column is read: a feature of the catalog")
    integer: bool = Field(False, description="number: every value is whole")
    shape: list[int] | None = Field(None, description="image: [height, width, channels]; array: the shape of one row")
    missing: int = 0
    missing_by_part: dict[str, dict[str, int]] | None = Field(
        None, description="the same by each column that says train, val and test, and by its values"
    )
    distinct: int | None = Field(None, description="None where there are too many to count")
    classes: list[str] | None = Field(None, description="sorted values, or words of lists, where few are distinct")
    counts: list[int] | None = Field(None, description="rows of each class, in the order of classes")
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    max_length: int | None = Field(None, description="text, tokens: words of the longest row")
    vocabulary: int | None = Field(None, description="text, tokens: distinct words")
    words: int | None = Field(None, description="text: words of all rows")
    characters: int | None = Field(None, description="text: characters of all rows")
    alphabet: int | None = Field(None, description="text: distinct characters")


class Schema(Answer):
    columns: list[Column]
    target: str | None = Field(None, description="suggested target: a column called so, or the last that can be one")
    part: str | None = Field(None, description="column that says train, val or test, where files did")


class Warned(Answer):
    """Something odd that training can live with. `rows` are numbered from 1, without a header."""

    code: str
    message: str
    rows: list[int] = Field(default_factory=list, description="the first few rows it was seen in")


class Dataset(Answer):
    id: str
    name: str
    format: str
    rows: int
    bytes: int
    sha256: str = Field(description="of the uploaded bytes")
    created_at: str
    schema_: Schema = Field(alias="schema")
    warnings: list[Warned] = Field(default_factory=list)


class Preview(Answer):
    columns: list[str]
    rows: list[list[JsonValue]]
