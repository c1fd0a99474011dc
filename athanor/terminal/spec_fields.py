"""Fields of a job spec as tables, read from its JSON Schema: types, bounds, defaults and descriptions."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from athanor.contract import Catalog, PartInfo

Schema = dict[str, Any]
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
LENGTHS = {
    "array": ("minItems", "maxItems", "items"),
    "object": ("minProperties", "maxProperties", "additionalProperties"),
    "string": ("minLength", "maxLength", ""),
}
"""By JSON type, the schema keywords for the least length, the greatest length, and the items."""


RECIPE = "the architecture's"
"""Shown as the default of fields whose default depends on the architecture."""
DESCRIBED = re.compile(r"\bdefault\b|\bleft out\b|\bnull: ")
"""Found in descriptions that say what null, or a missing value, means."""


@dataclass(frozen=True)
class Row:
    """A line of a table of fields."""

    name: str
    type: str
    default: str
    """JSON, "required" or RECIPE. "–" if the description says it, or if the fields of the group have defaults."""
    description: str


@dataclass(frozen=True)
class Field:
    """A field of the spec with its path, such as `hyperparameters.early_stopping`. `root` holds the `$defs`."""

    path: str
    schema: Schema
    root: Schema

    @property
    def variants(self) -> list[Schema]:
        """Schemas of the objects that it accepts: one for a group of fields, several for a part, none for a value."""
        return [one for one in _alternatives(self.schema, self.root) if isinstance(one.get("properties"), dict)]

    @property
    def kinds(self) -> list[str]:
        """Kinds of the parts that the field accepts. Empty for a group and for a single value."""
        return [kind for kind in map(_kind, self.variants) if kind]

    def to_json(self) -> Schema:
        """The field's schema and the definitions to which it refers."""
        needed: Schema = {}
        _gather(self.schema, self.root, needed)
        return {"field": self.path, "schema": self.schema, "$defs": needed}


def find(schema: Schema, name: str) -> list[Field]:
    """The fields with the path `name`. If there are none, the fields whose path ends with the segment `name`."""
    fields = list(walk(schema, schema))
    exact = [field for field in fields if field.path == name]
    return exact or [field for field in fields if field.path.rpartition(".")[2] == name]


def groups(schema: Schema) -> list[str]:
    """Names of the fields that contain other fields."""
    return list(dict.fromkeys(field.path.rpartition(".")[2] for field in walk(schema, schema) if field.variants))


def show(field: Field, catalog: Catalog) -> RenderableType:
    """A table of the fields of a group, of the kinds of a part, or of the single value."""
    heading = Text(field.path, style="bold")
    kinds = field.kinds
    # Parts of two shelves may have the same kind, so find the shelf that has all of these kinds.
    shelved = next(
        (
            {part.kind: part.summary for part in parts}
            for parts in catalog.shelves().values()
            if {*kinds} <= {part.kind for part in parts}
        ),
        {},
    )
    if not field.variants:
        return Group(heading, _table([_row(field.path.rpartition(".")[2], field.schema, False, field.root)]))
    if len(kinds) > 1 and shelved:
        table = _columns("kind", "description")
        for kind in kinds:
            table.add_row(Text(kind), Text(shelved[kind]))
        return Group(heading, Text("One of these kinds. The fields of a kind: athanor catalog KIND"), table)
    shown: list[RenderableType] = []
    for one in field.variants:
        title = f"{field.path}: {_kind(one)}" if len(field.variants) > 1 else field.path
        shown += [Text(title, style="bold"), Text(str(one.get("description", ""))), _table(rows(one, field.root))]
    return Group(*shown)


def part(shelf: str, answer: PartInfo) -> RenderableType:
    """A table of the fields of a part in the catalog."""
    heading = Text(f"{answer.kind}, one of the {shelf}", style="bold")
    return Group(heading, Text(answer.description), _table(rows(answer.schema_, answer.schema_)))


def walk(at: Schema, root: Schema, path: str = "") -> Iterator[Field]:
    """Yield every field except those of parts, which the catalog shows by kind."""
    properties = at.get("properties")
    for name, schema in (properties if isinstance(properties, dict) else {}).items():
        field = Field(f"{path}.{name}" if path else name, schema, root)
        yield field
        if len(field.variants) == 1 and "kind" not in field.variants[0]["properties"]:
            yield from walk(field.variants[0], root, field.path)


def _alternatives(schema: Schema, root: Schema) -> Iterator[Schema]:
    """Yield the schemas of a value without null: references are resolved, and a list gives the schemas of its items."""
    if "$ref" in schema:
        yield from _alternatives(_resolved(schema, root), root)
    elif isinstance(schema.get("items"), dict):
        yield from _alternatives(schema["items"], root)
    elif inner := schema.get("anyOf") or schema.get("oneOf"):
        for one in inner:
            yield from _alternatives(one, root)
    elif schema.get("type") != "null":
        yield schema


def _resolved(schema: Schema, root: Schema) -> Schema:
    found = root.get("$defs", {}).get(str(schema["$ref"]).rpartition("/")[2])
    return found if isinstance(found, dict) else {}


def _gather(value: Any, root: Schema, needed: Schema) -> None:
    if isinstance(value, list):
        for each in value:
            _gather(each, root, needed)
    elif isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            name = value["$ref"].rpartition("/")[2]
            if name not in needed:
                needed[name] = _resolved(value, root)
                _gather(needed[name], root, needed)
        _gather(list(value.values()), root, needed)


def _kind(schema: Schema) -> str:
    kind = schema["properties"].get("kind")
    return str(kind.get("const", "")) if isinstance(kind, dict) else ""


def rows(schema: Schema, root: Schema) -> list[Row]:
    """The fields of an object except `kind`. `root` has the `$defs`."""
    properties = schema.get("properties")
    fields = dict(properties) if isinstance(properties, dict) else {}
    fields.pop("kind", None)
    required = set(schema.get("required", []))
    return [_row(name, field, name in required, root) for name, field in fields.items()]


def _row(name: str, field: Schema, required: bool, root: Schema) -> Row:
    description = _description(field, root)
    default = "required" if required else "–"
    if "default" in field:
        default = json.dumps(field["default"], ensure_ascii=False)
        if field["default"] is None and DESCRIBED.search(description):
            default = RECIPE if RECIPE in description else "–"
    return Row(name, _type(field, root), default, description)


def _table(lines: list[Row]) -> Table:
    table = _columns("field", "type", "default", "description")
    for row in lines:
        table.add_row(Text(row.name), Text(row.type), Text(row.default), Text(row.description))
    return table


def _description(field: Schema, root: Schema) -> str:
    description = str(field.get("description", ""))
    objects = [one for one in _alternatives(field, root) if isinstance(one.get("properties"), dict)]
    if description or len(objects) != 1:
        return description
    return str(objects[0].get("description", "")).partition("\n")[0]


def _type(field: Schema, root: Schema) -> str:
    """A JSON Schema type as a short text with its bounds: integer ≥ 1, ≤ 100. Lengths are in parentheses."""
    if "enum" in field:
        return " | ".join(map(str, field["enum"]))
    if inner := field.get("anyOf") or field.get("oneOf"):
        return " | ".join(_type(one, root) for one in inner)
    if "$ref" in field:
        found = _resolved(field, root)
        if isinstance(found.get("properties"), dict):
            return _kind(found) or "object"
        return _type(found, root)
    name = str(field.get("const", field.get("type", "any")))
    if name in LENGTHS:
        least, most = (field.get(bound) for bound in LENGTHS[name][:2])
        length = f"({least or 0} to {most})" if most is not None else f"({least} or more)" if least else ""
        length = f"({most})" if least is not None and least == most else length
        inside = field.get(LENGTHS[name][2])
        shown = "list" if name == "array" else name
        return " ".join(filter(None, [shown, length, f"of {_type(inside, root)}" if isinstance(inside, dict) else ""]))
    bounds = ", ".join(
        f"{sign} {field[name]:g}" if isinstance(field[name], float) else f"{sign} {field[name]}"
        for name, sign in BOUNDS.items()
        if name in field
    )
    return f"{name} {bounds}".rstrip()


def _columns(*names: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(Text(name), no_wrap=name in {"field", "kind"}, overflow="fold")
    return table
