"""Registries of parts that fill themselves: one file in a folder is one part, and nothing else is edited."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Annotated, Any, Generic, TypeVar, Union

from pydantic import ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from athanor.contract import Part, PartInfo

P = TypeVar("P", bound=Part)


class Buildable(Part):
    """A part that the server can build: fields are known and bounded."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    @classmethod
    def listed_inputs(cls) -> dict[str, list[str]]:
        """Names of the inputs that it reads, and the kinds of tensors that each may be; empty if it reads none."""
        return {}


class _Tagged:
    """Says in the JSON Schema of a union that `kind` is required. Pydantic's says that it has a default."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        found = handler(schema)
        for each in found["oneOf"]:
            member = handler.resolve_ref_schema(each)
            member["required"] = ["kind", *(name for name in member.get("required", ()) if name != "kind")]
        return found


class Registry(Generic[P]):
    """The parts of one folder below `models/parts`, by kind. The folder is read once, at the first look-up."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._parts: dict[str, type[P]] = {}
        self._discovered = False

    def add(self, part: type[P]) -> None:
        """Register a part. Raises TypeError when its kind is missing or already taken."""
        kind = part.model_fields["kind"].default
        if not isinstance(kind, str):
            raise TypeError(f"{part.__module__}.{part.__name__} needs a line like: kind: Literal['x'] = 'x'")
        taken = self._parts.get(kind)
        if taken is not None and taken.__module__ != part.__module__:
            raise TypeError(f"{part.__module__} claims the kind '{kind}', which {taken.__module__} has")
        self._parts[kind] = part

    def __iter__(self) -> Iterator[type[P]]:
        self._discover()
        return iter([self._parts[kind] for kind in sorted(self._parts)])

    def __getitem__(self, kind: str) -> type[P]:
        self._discover()
        return self._parts[kind]

    def __contains__(self, kind: object) -> bool:
        self._discover()
        return kind in self._parts

    def _discover(self) -> None:
        if self._discovered:
            return
        package = importlib.import_module(f"models.parts.{self.folder}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
        # Only now: until all files are in, another thread must read the folder too.
        self._discovered = True

    def union(self) -> Any:
        """The pydantic type of any registered part, told apart by `kind`."""
        parts = tuple(self)
        if len(parts) == 1:
            return parts[0]
        return Annotated[Union[parts], Field(discriminator="kind"), _Tagged()]  # noqa: UP007 -- built at run time

    def catalog(self) -> list[PartInfo]:
        """Every part with its JSON Schema and docstring, sorted by kind."""
        return [
            PartInfo(
                kind=part.model_fields["kind"].default,
                summary=inspect.cleandoc(part.__doc__ or "").partition("\n")[0],
                description=inspect.cleandoc(part.__doc__ or ""),
                schema_=part.model_json_schema(),
                exports=sorted(getattr(part, "exports", ())),
                tasks=sorted(getattr(part, "tasks", ())),
                direction=getattr(part, "direction", None),
                inputs=part.listed_inputs() if issubclass(part, Buildable) else {},
            )
            for part in self
        ]
