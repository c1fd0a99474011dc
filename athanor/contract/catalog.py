"""The catalog: every part that a spec can name."""

from typing import Literal

from pydantic import Field, JsonValue

from athanor.contract.base import Answer

ExportFormat = Literal["onnx", "pt2", "bundle"]


class PartInfo(Answer):
    kind: str
    summary: str
    description: str
    schema_: dict[str, JsonValue] = Field(alias="schema")
    exports: list[ExportFormat] = Field(
        default_factory=list, description="architectures: formats a checkpoint can be exported in"
    )


class Catalog(Answer):
    architectures: list[PartInfo]
    losses: list[PartInfo]
    optimizers: list[PartInfo]
    schedules: list[PartInfo]
    augmentations: list[PartInfo]
    datasets: list[PartInfo]
