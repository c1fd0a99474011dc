"""The catalog: every part that a spec can name."""

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from athanor.contract.base import Answer
from athanor.contract.jobspec import Direction

ExportFormat = Literal["onnx", "pt2", "bundle"]


class PartInfo(Answer):
    """A part of the catalog: its kind, what it does, and the JSON Schema of its fields."""

    kind: str
    summary: str
    description: str
    schema_: dict[str, JsonValue] = Field(alias="schema")
    exports: list[ExportFormat] = Field(
        default_factory=list, description="architectures: the formats in which a checkpoint can be exported"
    )
    tasks: list[str] = Field(default_factory=list, description="losses, metrics, targets: the tasks they are for")
    inputs: dict[str, list[str]] = Field(
        default_factory=dict,
        description="architectures: the inputs by name, and the kinds of tensors that each may be; one input is x",
    )
    direction: Direction | None = Field(
        None, description="metrics: whether a lower (min) or higher (max) value is better"
    )


class Catalog(Answer):
    """The parts by shelf: `architectures`, `losses`, `splits` and every other shelf of the server."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, list[PartInfo]] = Field(init=False)

    def shelves(self) -> dict[str, list[PartInfo]]:
        return dict(self.__pydantic_extra__)

    def shelf(self, name: str) -> "Catalog | None":
        """A catalog of one shelf, or None if there is none of this name."""
        return Catalog.model_validate({name: self.shelves()[name]}) if name in self.shelves() else None
