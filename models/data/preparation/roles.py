"""Choose the input columns, the target column and the task."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from athanor.contract import Column, Schema
from models.data.columns import find_column
from models.data.counted import counted
from models.data.preparation.choice import DatasetChoice
from models.errors import SpecError
from models.parts.architecture import Architecture
from models.parts.feature import joined, of
from models.parts.inputs import ONLY, InputKind, Inputs, side_by_side
from models.parts.target import TARGETS, Language, Target, chosen, target_of, wrong_column
from models.parts.tokenizer import TOKENIZERS

WAYS: tuple[tuple[InputKind, bool], ...] = (("image", False), ("text", False), ("vector", True), ("vector", False))
"""The order of preference if the spec names no inputs: images, then texts, then tables, then arrays.

Each is a kind of tensor, and whether columns are joined in it.
"""

LISTED = 10
"""Columns that a message names."""


@dataclass(frozen=True)
class InputColumns:
    """The columns of one input of a network. `accepts` are the kinds of tensors that the input may have."""

    accepts: frozenset[InputKind]
    columns: list[Column]

    @property
    def joined(self) -> bool:
        """Whether the columns are joined into one vector. Otherwise there is a single column."""
        return joined(column.kind for column in self.columns)

    def expected(self) -> Inputs:
        """The tensor to expect from the schema. Its vocabulary is an upper bound: that of all rows."""
        return side_by_side([of(column).expect(column, self.accepts) for column in self.columns])


@dataclass(frozen=True)
class Roles:
    """The columns of a job: those of each input of its network, the target, `part` of the split, and `weight`."""

    task: str
    named: Mapping[str, InputColumns]
    target: Column
    part: str | None
    language: Language | None = None
    weight: Column | None = None

    @property
    def inputs(self) -> list[Column]:
        """The columns of all inputs."""
        return [column for each in self.named.values() for column in each.columns]

    @property
    def only(self) -> InputColumns:
        """The columns of the input of a network with a single input."""
        (one,) = self.named.values()
        return one

    @property
    def asks(self) -> type[Target]:
        """The target of the task."""
        return target_of(self.task)

    @property
    def outputs(self) -> int:
        """K, or an upper bound of it, from the schema."""
        return self.asks.outputs(self.target, self.language)

    def tokens(self, rows: int) -> int:
        """The number of tokens of the whole text, whose `rows` rows are joined by line breaks."""
        assert self.language is not None
        return self.language.tokenizer.counted(self.target)[1] + rows - 1

    @property
    def by_name(self) -> bool:
        """Whether a spec lists the columns in `inputs`. Otherwise it names the only one in `input`."""
        return len(self.named) > 1 or self.only.joined

    @property
    def columns(self) -> list[Column]:
        """The columns of inputs, target and weight, each once. The column of the split is not among them."""
        named = (*self.inputs, self.target, *([self.weight] if self.weight else []))
        return list({column.name: column for column in named}.values())


def assign(choice: DatasetChoice, schema: Schema, architecture: Architecture) -> Roles:
    """Choose the column of each role that the spec leaves open. Raises SpecError with a pointer to the field."""
    asked = _asked(choice, architecture)
    if asked is not None and asked.self_supervised:
        return _assign_text(choice, schema, architecture, asked)
    for other in TARGETS:
        for name in other.options:
            if getattr(choice, name) is not None:
                raise SpecError(
                    f"/dataset/{name}", f"{name} is for {other.task.replace('_', ' ')} alone", code="wrong_task"
                )
    target = _target(choice, schema)
    asked = asked or _suggested(target)
    asked.check(target)
    choice.split.check(schema, running_text=False)
    part = choice.split.reads(schema)
    weight = _weight(choice, schema, target, asked)
    taken = {target.name, part, schema.part, weight.name if weight else None}
    inputs = _inputs(choice, schema, taken, architecture)
    _check_level(asked, architecture)
    asked.check_inputs([column for each in inputs.values() for column in each.columns])
    return Roles(asked.task, inputs, target, part, weight=weight)


def _asked(choice: DatasetChoice, architecture: Architecture) -> type[Target] | None:
    """The target that the spec names, or the only one that its architecture is for. Raises SpecError."""
    if choice.task is not None:
        return chosen(choice.task)
    fitting = [part for part in TARGETS if part.level in architecture.levels]
    # No column suggests a self-supervised target. An architecture does if it can do nothing else.
    return fitting[0] if len(fitting) == 1 and fitting[0].self_supervised else None


def _suggested(target: Column) -> type[Target]:
    """The target that suits a column best. Raises SpecError if none does."""
    best = max(TARGETS, key=lambda part: part.recognize(target))
    if best.recognize(target) == 0:
        raise wrong_column(target)
    return best


def _check_level(asked: type[Target], architecture: Architecture) -> None:
    if asked.per_word() and len(architecture.inputs) > 1:
        raise SpecError(
            "/architecture/kind",
            f"{architecture.kind} reads several inputs, and {asked.task} is of the words of one",
            code="wrong_task",
        )
    if asked.level not in architecture.levels:
        tasks = sorted(part.task for part in TARGETS if part.level in architecture.levels)
        raise SpecError(
            "/architecture/kind",
            f"{architecture.kind} does {' and '.join(tasks)}; this is {asked.task}",
            code="wrong_task",
        )


def _assign_text(choice: DatasetChoice, schema: Schema, architecture: Architecture, asked: type[Target]) -> Roles:
    """The roles of a self-supervised target: one column of text, which is the input and the target."""
    _check_level(asked, architecture)
    for name in ("target", "inputs"):
        if getattr(choice, name) is not None:
            raise SpecError(
                f"/dataset/{name}", "a language is learned from one text: name it in input", code="wrong_task"
            )
    if choice.weight is not None:
        raise _without_rows(asked)
    tokens = _tokenizer(choice.tokens or "characters")
    language = Language(tokens, choice.documents or "stream", choice.context or 64, architecture.reach)
    choice.split.check(schema, running_text=language.documents == "stream")
    part = choice.split.reads(schema)
    texts = [column for column in schema.columns if asked.can_be(column)]
    if choice.input is not None:
        texts = [find_column(schema, choice.input, "/dataset/input")]
    if len(texts) > 1:
        texts = [column for column in texts if why_left_out(column) is None] or texts
    if len(texts) > 1:
        raise SpecError("/dataset/input", f"choose one of {_listed(texts)}", code="ambiguous")
    if not texts:
        raise SpecError(
            "/dataset/input", "a language is learned from a column of text; the dataset has none", code="wrong_column"
        )
    asked.check(texts[0])
    return Roles(asked.task, {ONLY: InputColumns(architecture.accepts, texts)}, texts[0], part, language)


def _tokenizer(name: str) -> str:
    if name not in TOKENIZERS:
        known = ", ".join(part.model_fields["kind"].default for part in TOKENIZERS)
        message = f"no tokenizer is called '{name}'"
        raise SpecError("/dataset/tokens", message, code="unknown_part", suggestion=f"one of {known}")
    if TOKENIZERS[name].learns:
        fixed = ", ".join(part.model_fields["kind"].default for part in TOKENIZERS if not part.learns)
        message = f"{name} learns its tokens from the training rows, and a language model counts them before"
        raise SpecError("/dataset/tokens", message, code="wrong_part", suggestion=f"one of {fixed}")
    return name


def _target(choice: DatasetChoice, schema: Schema) -> Column:
    name = choice.target or schema.target
    if name is None:
        raise SpecError(
            "/dataset/target",
            "the dataset suggests no target",
            code="missing_target",
            suggestion="name the column to predict in dataset.target",
        )
    return find_column(schema, name, "/dataset/target")


def _weight(choice: DatasetChoice, schema: Schema, target: Column, asked: type[Target]) -> Column | None:
    """The column of the rows' weights. Raises SpecError if it cannot be that, or if a row has no weight."""
    if choice.weight is None:
        return None
    column, where = find_column(schema, choice.weight, "/dataset/weight"), "/dataset/weight"
    if asked.per_word():
        raise _without_rows(asked)
    if column.name == target.name:
        raise SpecError(where, f"'{column.name}' is the target; weights are in another column", code="wrong_column")
    if not of(column).reads_numerals or column.min is None or column.max is None:
        raise SpecError(where, f"weights are numbers; '{column.name}' is a {column.kind}", code="wrong_column")
    if column.min < 0 or column.max == 0:
        found = f"the smallest is {column.min:g}" if column.min < 0 else "all of them are 0"
        raise SpecError(
            where,
            f"weights are not negative, and some are above 0; in '{column.name}' {found}",
            code="wrong_column",
        )
    if column.missing:
        raise SpecError(
            where,
            f"{column.missing:,} rows have no weight in '{column.name}'",
            code="missing_weights",
            suggestion="give each row a weight; the loss of a row with weight 0 does not count",
        )
    return column


def _without_rows(asked: type[Target]) -> SpecError:
    return SpecError("/dataset/weight", f"weights are of rows; {asked.task} counts each word", code="wrong_task")


def _inputs(
    choice: DatasetChoice, schema: Schema, taken: set[str | None], architecture: Architecture
) -> dict[str, InputColumns]:
    if choice.input is not None:
        named = [find_column(schema, choice.input, "/dataset/input")]
    else:
        there = {column.name: column for column in schema.columns}
        named = [
            there.get(name) or find_column(schema, name, f"/dataset/inputs/{at}")
            for at, name in enumerate(choice.inputs or [])
        ]
    seen: set[str] = set()
    for at, column in enumerate(named):
        if column.name in seen:
            raise SpecError(f"/dataset/inputs/{at}", f"'{column.name}' is named twice; name it once", code="repeated")
        seen.add(column.name)
    if any(column.name in taken for column in named):
        where = "/dataset/input" if choice.input is not None else "/dataset/inputs"
        raise SpecError(where, "the columns of target, split and weight cannot be inputs", code="leak")
    columns = named or [
        column for column in schema.columns if column.name not in taken and why_left_out(column) is None
    ]
    chosen: dict[str, InputColumns] = {}
    # Names, because comparing the whole descriptions of thousands of columns takes minutes.
    read: set[str] = set()
    for name, accepts in architecture.inputs.items():
        found = _fitting([column for column in columns if column.name not in read], accepts)
        if not found:
            _check_something_is_left(columns, schema, taken)
            kinds = sorted({column.kind for column in columns})
            wanted = " or ".join(sorted(accepts)) + (" inputs" if name == ONLY else f" inputs for '{name}'")
            raise SpecError(
                "/architecture/kind",
                f"{architecture.kind} learns from {wanted}; "
                f"this dataset offers {', '.join(kinds) or 'no columns beside the target'}",
                code="wrong_inputs",
                suggestion="GET /v1/catalog says what each architecture takes",
            )
        chosen[name] = InputColumns(accepts, found)
        read |= {column.name for column in found}
    if odd := [column for column in named if column.name not in read]:
        others = [column for each in chosen.values() for column in each.columns]
        raise SpecError(
            "/dataset/inputs",
            f"'{odd[0].name}' ({odd[0].kind}) does not mix with the others",
            code="mixed",
            suggestion=f"learn from {_listed(others)} alone",
        )
    for name, each in chosen.items():
        if not each.joined and len(each.columns) > 1:
            several = _listed(each.columns)
            if len(chosen) == 1:
                raise SpecError("/dataset/input", f"choose one of {several}", code="ambiguous")
            raise SpecError(
                "/dataset/inputs",
                f"'{name}' reads one column; choose one of {several}",
                code="ambiguous",
                suggestion="name the columns of all inputs in dataset.inputs",
            )
    return chosen


def why_left_out(column: Column) -> str | None:
    """Why a job learns from the column only if its spec names it. None if it learns from it anyway."""
    if column.left_out is not None:
        return column.left_out
    if of(column).is_index(column):
        return "it numbers the rows; name it in dataset.inputs to learn from it"
    return None


def _check_something_is_left(columns: Sequence[Column], schema: Schema, taken: set[str | None]) -> None:
    """Raises SpecError if every column beside the target is left out, with the reason of each."""
    reasons = [
        (column.name, why) for column in schema.columns if column.name not in taken and (why := why_left_out(column))
    ]
    if columns or not reasons:
        return
    told = "; ".join(f"'{name}': {why}" for name, why in reasons[:LISTED])
    more = f"; and {len(reasons) - LISTED:,} more" if len(reasons) > LISTED else ""
    many = counted(len(reasons), "column beside the target is", "columns beside the target are")
    raise SpecError(
        "/dataset/inputs",
        f"nothing is left to learn from: {many} left out. {told}{more}",
        code="nothing_left",
        suggestion='add columns to the file, or name one all the same: "inputs": '
        + json.dumps([reasons[0][0]], ensure_ascii=False),
    )


def _listed(columns: Sequence[Column]) -> str:
    """Names for a message: the first few of what may be thousands."""
    more = f" and {len(columns) - LISTED:,} more" if len(columns) > LISTED else ""
    return ", ".join(f"'{column.name}'" for column in columns[:LISTED]) + more


def _fitting(columns: list[Column], accepts: frozenset[InputKind]) -> list[Column]:
    """The columns for an input that accepts these kinds of tensors."""
    ways = [_becomes(column, accepts) for column in columns]
    for kind, beside in WAYS:
        found = [column for column, way in zip(columns, ways, strict=True) if way == (kind, beside)]
        if found and kind in accepts:
            return found
    return []


def _becomes(column: Column, accepts: frozenset[InputKind]) -> tuple[InputKind, bool]:
    """The kind of tensor that a column becomes, and whether other columns are joined to it."""
    feature = of(column)
    return feature.input_kind(column, accepts), feature.side_by_side
