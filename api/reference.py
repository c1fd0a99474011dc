"""docs/reference.md: every field of a job spec and every part, written from their schemas by `make reference`."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from api.routes import catalog
from athanor.contract import Fork, PartInfo
from athanor.terminal import spec_fields
from models.parts.architecture import Architecture
from models.parts.shelves import SHELVES
from models.planning.method import planner_of
from models.registry import Buildable

PAGE = Path(__file__).parents[1] / "docs" / "reference.md"

HEAD = """# Reference

This page lists every field of a job spec and every part that a spec can name. `make reference` writes it from the
schemas; do not edit it by hand. A running service gives the same as JSON: `GET /v1/schemas/job-spec` and
`GET /v1/catalog`. On the command line, `athanor catalog` lists the parts, and `athanor catalog NAME` the fields of a
part or a group.

In the tables, `integer ≥ 1, ≤ 100` is a type with its bounds, and `list (1 to 32)` or `string (1 to 200)` has its
allowed lengths. A default of – means that the default is described in the text or in the table of the group. Where the
default is the architecture's, the text of each architecture has it. Unknown fields are refused.

In the descriptions, `x_BF` is a tensor x of the shape B × F. B is rows of a batch, F features, C channels, H height,
W width, T words or tokens, E size of an embedding, K outputs.
"""

WORDS = ("–", "required", spec_fields.RECIPE)
"""Defaults that are words, not JSON values."""

NAMED_BY = {
    "datasets": "`dataset.id` names one.",
    "targets": "`dataset.target` names the column; `dataset.task` chooses where a column suits several targets.",
    "tokenizers": "`dataset.tokens` names one in language modeling.",
    "features": "The schema of a dataset shows the feature of each column as its `kind`; an upload recognizes it.",
    "metrics": "Every metric of the job's task is evaluated; it gives its name to series such as `val/accuracy`.",
    "findings": "Every rule judges the results when a job ends; what it finds is in `findings` of the job.",
}
"""By shelf, how a part is selected, for shelves whose parts are not in the schema of the spec."""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([HEAD, *_spec(), *_fork(), *_shelves()])


def _spec() -> Iterator[str]:
    schema = catalog.schema()
    yield f"## Job spec\n\n{schema['description']}\n"
    yield 'The smallest spec is `{"architecture": {"kind": "mlp"}, "dataset": {"id": "digits"}}`.\n'
    yield _table(schema, schema)
    for field in spec_fields.walk(schema, schema):
        if len(field.variants) == 1 and not _shelf(field):
            group = field.variants[0]
            yield f"### Fields of {_name(field)}\n\n`{field.path}`: {group['description']}\n"
            yield _table(group, schema)


def _fork() -> Iterator[str]:
    schema = Fork.model_json_schema()
    yield f"## Fork\n\n{schema['description']} It is the body of `POST /v1/jobs/{{id}}/fork`.\n"
    yield _table(schema, schema)


def _shelves() -> Iterator[str]:
    schema = catalog.schema()
    fields = list(spec_fields.walk(schema, schema))
    for shelf, parts in catalog.read().shelves().items():
        yield f"## {shelf.capitalize()}\n\n{_introduction(shelf)}\n"
        named = [f"`{field.path}`" for field in fields if _shelf(field) == shelf]
        if named:
            yield f"{' and '.join(named)} names one.\n"
        elif shelf in NAMED_BY:
            yield f"{NAMED_BY[shelf]}\n"
        for part in parts:
            yield f"### {part.kind}\n\n{part.description}\n"
            if facts := " ".join(_facts(part, SHELVES[shelf][part.kind])):
                yield f"{facts}\n"
            if len(part.schema_.get("properties") or {}) > 1:  # type: ignore[arg-type]
                yield _table(part.schema_, part.schema_)


def _introduction(shelf: str) -> str:
    """The first paragraph of the docstring of the shelf's base class."""
    (base, *_) = [one for one in next(iter(SHELVES[shelf])).__mro__ if Buildable in one.__bases__]
    return inspect.cleandoc(base.__doc__ or "").partition("\n\n")[0]


def _facts(part: PartInfo, kind: type[Any]) -> Iterator[str]:
    """Sentences about the use of a part: its inputs, tasks or training method."""
    if issubclass(kind, Architecture):
        yield f"Reads {' or '.join(sorted(kind.accepts))} inputs."
        yield planner_of(kind).defaults(kind)
    if part.exports:
        yield f"Exported as {', '.join(f'`{form}`' for form in part.exports)}."
    if part.tasks:
        yield f"For {', '.join(part.tasks)}."
    if part.direction:
        yield "Higher is better." if part.direction == "max" else "Lower is better."


def _table(group: dict[str, Any], root: dict[str, Any]) -> str:
    fields = {field.path: field for field in spec_fields.walk(group, root)}
    lines = ["| field | type | default | description |", "|---|---|---|---|"]
    for row in spec_fields.rows(group, root):
        shown = _linked(row.type, fields[row.name]).replace("|", "\\|")
        default = row.default if row.default in WORDS else f"`{row.default}`"
        shelf = _shelf(fields[row.name])
        description = (row.description or (_introduction(shelf) if shelf else "")).replace("|", "\\|")
        lines.append(f"| `{row.name}` | {shown} | {default} | {description} |")
    return "\n".join(lines) + "\n"


def _linked(words: str, field: spec_fields.Field) -> str:
    """The type of a field, with a link to the section of its parts or fields, if there is one."""
    if shelf := _shelf(field):
        return words.replace(" | ".join(field.kinds), f"[{shelf}](#{shelf})")
    if len(field.variants) == 1:
        return words.replace("object", f"[group](#fields-of-{_name(field)})")
    return words


def _shelf(field: spec_fields.Field) -> str | None:
    """The shelf whose parts a field can hold, or None."""
    kinds = set(field.kinds)
    return next((name for name, shelf in SHELVES.items() if kinds and kinds == {_kind(part) for part in shelf}), None)


def _kind(part: type[Buildable]) -> str:
    return str(part.model_fields["kind"].default)


def _name(field: spec_fields.Field) -> str:
    return field.path.rpartition(".")[2]


if __name__ == "__main__":
    PAGE.write_text(page())
