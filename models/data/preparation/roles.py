"""Which columns are learned from, which is learned, and what kind of task that makes."""

from dataclasses import dataclass
from typing import Literal

from athanor.contract import Column, Schema, Task
from models.data.columns import find_column as _find
from models.data.preparation.choice import DatasetChoice
from models.errors import SpecError
from models.parts.architecture import Architecture
from models.parts.feature import of
from models.parts.inputs import InputKind, Inputs, side_by_side
from models.parts.tokenizer import TOKENIZERS, Tokenizer

WAYS: tuple[tuple[InputKind, bool], ...] = (("image", False), ("text", False), ("vector", True), ("vector", False))
"""What is learned from where nothing is named: images before texts, texts before tables, tables before arrays."""

MAX_INFERRED_CLASSES = 20
"""Whole numbers with more distinct values than this are taken for quantities, not classes, unless `task` says so."""


@dataclass(frozen=True)
class Language:
    """How a text is read for its next token. Numbers 0 to 2 pad, are unknown, and end a document."""

    tokens: str
    """The tokenizer."""
    documents: Literal["stream", "lines"]
    context: int
    reach: int = 0
    """Tokens that are shown before each window."""

    @property
    def tokenizer(self) -> Tokenizer:
        return TOKENIZERS[self.tokens].model_validate({})


@dataclass(frozen=True)
class Roles:
    """The columns of a job. `accepts` are the tensors that its network reads, `part` is the column of the split."""

    task: Task
    accepts: frozenset[InputKind]
    inputs: list[Column]
    target: Column
    part: str | None
    language: Language | None = None

    @property
    def outputs(self) -> int:
        """K: the classes, the tags, or one value."""
        if self.language is not None:
            known, _ = self.language.tokenizer.counted(self.target)
            # A stream has line breaks between its rows.
            return known + 3 + (1 if self.language.documents == "stream" else 0)
        if self.task == "tagging":
            return self.target.vocabulary or 1
        return len(self.target.classes or []) if self.task == "classification" else 1

    def tokens(self, rows: int) -> int:
        """Tokens of the whole text, its rows joined by line breaks."""
        assert self.language is not None
        return self.language.tokenizer.counted(self.target)[1] + rows - 1

    @property
    def is_table(self) -> bool:
        """Whether columns are learned from side by side, by their names."""
        return self.language is None and all(of(column).side_by_side for column in self.inputs)

    @property
    def columns(self) -> list[Column]:
        """The columns whose cells are looked at; that of the split is read as it is described."""
        return list({column.name: column for column in (*self.inputs, self.target)}.values())

    def expected(self) -> Inputs:
        """The inputs as the schema lets us expect them; a vocabulary is at most what the whole dataset has."""
        return side_by_side([of(column).expect(column, self.accepts) for column in self.inputs])


def assign(choice: DatasetChoice, schema: Schema, architecture: Architecture) -> Roles:
    """Settle the roles, filling in what the user left open. Raises Refusal with a pointer below /dataset."""
    if choice.task == "language_modeling" or (choice.task is None and architecture.tasks == {"language_modeling"}):
        return _read(choice, schema, architecture)
    for name in ("tokens", "documents", "context"):
        if getattr(choice, name) is not None:
            raise SpecError(f"/dataset/{name}", f"{name} is for language modeling alone", code="wrong_task")
    target = _target(choice, schema)
    task = _task(choice, target)
    choice.split.check(schema, running_text=False)
    part = choice.split.reads(schema)
    inputs = _inputs(choice, schema, {target.name, part, schema.part}, architecture)
    _check_task(task, architecture)
    if task == "tagging" and inputs[0].kind != "tokens":
        raise SpecError(
            "/dataset/input", f"'{inputs[0].name}' is not a list of words, as long as its tags", code="wrong_column"
        )
    return Roles(task, architecture.accepts, inputs, target, part)


def _check_task(task: Task, architecture: Architecture) -> None:
    if task not in architecture.tasks:
        raise SpecError(
            "/architecture/kind",
            f"{architecture.kind} does {' and '.join(sorted(architecture.tasks))}; this is {task}",
            code="wrong_task",
        )


def _read(choice: DatasetChoice, schema: Schema, architecture: Architecture) -> Roles:
    """The roles of language modeling: one column of text, which is its own target."""
    _check_task("language_modeling", architecture)
    for name in ("target", "inputs"):
        if getattr(choice, name) is not None:
            raise SpecError(
                f"/dataset/{name}", "a language is learned from one text: name it in input", code="wrong_task"
            )
    tokens = _tokenizer(choice.tokens or "characters")
    language = Language(tokens, choice.documents or "stream", choice.context or 64, architecture.reach)
    choice.split.check(schema, running_text=language.documents == "stream")
    part = choice.split.reads(schema)
    texts = [column for column in schema.columns if column.kind == "text"]
    if choice.input is not None:
        texts = [_find(schema, choice.input, "/dataset/input")]
    if len(texts) > 1:
        names = ", ".join(column.name for column in texts)
        raise SpecError("/dataset/input", f"choose one of {names}", code="ambiguous")
    if not texts or texts[0].kind != "text":
        found = f"'{texts[0].name}' is a {texts[0].kind} column" if texts else "the dataset has none"
        raise SpecError("/dataset/input", f"a language is learned from a column of text; {found}", code="wrong_column")
    return Roles("language_modeling", architecture.accepts, texts, texts[0], part, language)


def _tokenizer(name: str) -> str:
    if name not in TOKENIZERS:
        known = ", ".join(part.model_fields["kind"].default for part in TOKENIZERS)
        message = f"no tokenizer is called '{name}'"
        raise SpecError("/dataset/tokens", message, code="unknown_part", suggestion=f"one of {known}")
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
    return _find(schema, name, "/dataset/target")


def _task(choice: DatasetChoice, target: Column) -> Task:
    if target.kind == "tokens" and choice.task in (None, "tagging"):
        return "tagging"
    if choice.task == "tagging":
        raise SpecError(
            "/dataset/task",
            f"'{target.name}' is a {target.kind} column; tagging needs a list of tags in each row",
            code="wrong_task",
        )
    if target.kind not in ("number", "category"):
        raise SpecError(
            "/dataset/target",
            f"'{target.name}' is a {target.kind} column; a target is a number or a category",
            code="wrong_column",
        )
    classes = target.classes or []
    few = target.kind == "category" or (target.integer and 2 <= len(classes) <= MAX_INFERRED_CLASSES)
    task: Task = choice.task or ("classification" if few else "regression")
    if task == "regression" and target.kind != "number":
        raise SpecError("/dataset/task", f"'{target.name}' is a category; regression needs numbers", code="wrong_task")
    if task == "classification" and len(classes) < 2:
        why = "has one value only" if classes else "has too many distinct values to be classes"
        raise SpecError("/dataset/target", f"'{target.name}' {why}", code="wrong_target")
    return task


def _inputs(choice: DatasetChoice, schema: Schema, taken: set[str | None], architecture: Architecture) -> list[Column]:
    if choice.input is not None:
        named = [_find(schema, choice.input, "/dataset/input")]
    else:
        named = [_find(schema, name, f"/dataset/inputs/{at}") for at, name in enumerate(choice.inputs or [])]
    if any(column.name in taken for column in named):
        where = "/dataset/input" if choice.input is not None else "/dataset/inputs"
        raise SpecError(where, "the target and the split column cannot be inputs", code="leak")
    columns = named or [column for column in schema.columns if column.name not in taken and not _counts_rows(column)]
    for kind, beside in WAYS:
        found = [column for column in columns if _becomes(column, architecture) == (kind, beside)]
        if not found or kind not in architecture.accepts:
            continue
        if named and len(found) < len(named):
            odd = next(column for column in named if column not in found)
            raise SpecError(
                "/dataset/inputs",
                f"'{odd.name}' ({odd.kind}) does not mix with the others",
                code="mixed",
                suggestion="learn from " + " and ".join(f"'{column.name}'" for column in found[:10]) + " alone",
            )
        if not beside and len(found) > 1:
            several = ", ".join(column.name for column in found)
            raise SpecError("/dataset/input", f"choose one of {several}", code="ambiguous")
        return found
    kinds = sorted({column.kind for column in columns})
    raise SpecError(
        "/architecture/kind",
        f"{architecture.kind} learns from {' or '.join(sorted(architecture.accepts))} inputs; "
        f"this dataset offers {', '.join(kinds) or 'no columns beside the target'}",
        code="wrong_inputs",
        suggestion="GET /v1/catalog says what each architecture takes",
    )


def _counts_rows(column: Column) -> bool:
    """A column that numbers the rows: where they are sorted it gives the target away, so only its name brings it in."""
    numbers = column.kind == "number" and column.integer and column.classes is None
    return numbers and column.name.strip().lower() in {"id", "index", "idx", "row", "unnamed: 0"}


def _becomes(column: Column, architecture: Architecture) -> tuple[InputKind, bool]:
    """The tensor that a column becomes, and whether other columns stand beside it there."""
    feature = of(column)
    return feature.input_kind(column, architecture.accepts), feature.side_by_side
