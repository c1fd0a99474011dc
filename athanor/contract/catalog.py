"""The catalog: every part that a spec can name."""

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from athanor.contract.base import Answer
from athanor.contract.jobspec import Direction

ExportFormat = Literal["onnx", "pt2", "bundle"]


class PartInfo(Answer):
    kind: str
    summary: str
    description: str
    schema_: dict[str, JsonValue] = Field(alias="schema")
    exports: list[ExportFormat] = Field(
        default_factory=list, description="architectures: formats a checkpoint can be exported in"
    )
    tasks: list[str] = Field(default_factory=list, description="losses, metrics, targets: tasks that they are for")
    direction: Direction | None = Field(None, description="metrics: which way is better")


class Catalog(Answer):
    """The parts of every shelf, by its name: `architectures`, `losses`, `splits`, and any that the server has."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, list[PartInfo]] = Field(init=False)

    def shelves(self) -> dict[str, list[PartInfo]]:
        return dict(self.__pydantic_extra__)
