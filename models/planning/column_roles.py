"""What a job does with each column of its dataset, and why."""

from collections.abc import Sequence

from athanor.contract import Column, ColumnRole, Schema, Warned
from models.data.preparation.choice import DatasetChoice
from models.data.preparation.roles import Roles, why_left_out
from models.data.whole_numbers import doubt
from models.parts.architecture import Architecture
from models.parts.feature import of
from models.parts.inputs import InputKind

SHOWN = 1000
MANY_UNSEEN = 0.2
"""The share of unseen words in new rows from which a plan warns of them."""


def column_roles(said: DatasetChoice, roles: Roles, schema: Schema, architecture: Architecture) -> list[ColumnRole]:
    """The roles of the first SHOWN columns. `said` is what the spec says, before defaults are filled in."""
    reads = {column.name: name for name, each in roles.named.items() for column in each.columns}
    return [_role(column, said, roles, reads, schema, architecture) for column in schema.columns[:SHOWN]]


def unseen_words(roles: Sequence[ColumnRole]) -> list[Warned]:
    """A warning for each input in which many words of new rows will be unknown to the network."""
    return [
        Warned(
            code="unseen_words",
            message=f"column {role.name!r}: of the words of new rows, about {role.unseen:.0%} are in no row of the "
            "dataset; they tell the network nothing",
            column=role.name,
            suggestion="train on more rows, or choose the tokenizer characters or bpe for the column",
        )
        for role in roles
        if role.unseen is not None and role.unseen >= MANY_UNSEEN
    ]


def _role(
    column: Column,
    said: DatasetChoice,
    roles: Roles,
    reads: dict[str, str],
    schema: Schema,
    architecture: Architecture,
) -> ColumnRole:
    role = ColumnRole(name=column.name, role="left_out", kind=column.kind, settings=column.settings)
    guess = None if column.name in said.features else column.guess
    if column.name in reads:
        name = reads[column.name] if len(roles.named) > 1 else None
        return role.model_copy(update={"role": "input", "input": name, "guess": guess, "unseen": column.unseen})
    if column.name == roles.target.name:
        unnamed = "the spec names no target; dataset.target settles it" if said.target is None else None
        task = doubt(column) if said.task is None else None
        guess = "; ".join(each for each in (unnamed, task, guess) if each) or None
        return role.model_copy(update={"role": "target", "guess": guess})
    if column.name == roles.part:
        return role.model_copy(update={"role": "split"})
    if roles.weight is not None and column.name == roles.weight.name:
        return role.model_copy(update={"role": "weight"})
    return role.model_copy(update={"reason": _reason(column, said, roles, schema, architecture)})


def _reason(column: Column, said: DatasetChoice, roles: Roles, schema: Schema, architecture: Architecture) -> str:
    if roles.language is not None:
        return f"a language is learned from one text, here '{roles.target.name}'"
    if said.inputs is not None or said.input is not None:
        return "the spec does not name it as an input"
    if column.name == schema.part:
        return f"it names the parts of the data, and split.kind = {said.split.kind} does not use it"
    if (why := why_left_out(column)) is not None:
        return why
    accepted = frozenset[InputKind]().union(*architecture.inputs.values())
    is_accepted = of(column).input_kind(column, accepted) in accepted
    how = "name it alone in dataset.inputs" if is_accepted else "choose another architecture"
    others = " and ".join(sorted({each.kind for each in roles.inputs}))
    return (
        f"{architecture.kind} learns from the {others} columns of this dataset, and this one is {column.kind}; {how}, "
        "to learn from it"
    )
