"""Reuse a checkpoint's encoders for other data: words keep their numbers, and values keep their positions."""

from models.data.preparation.encoders import Encoder, NamedEncoder, TensorEncoder, other_inputs
from models.data.preparation.roles import Roles
from models.data.preparation.stream import TokenEncoder
from models.parts.target import FittedTarget, Language


def encoder(kept: Encoder, roles: Roles) -> Encoder:
    """The encoder of a checkpoint for the columns of a job. Raises SpecError if it cannot read them."""
    if roles.language is not None:
        return token_encoder(kept, roles, roles.language)
    return column_encoder(kept, roles)


def column_encoder(kept: Encoder, roles: Roles) -> TensorEncoder | NamedEncoder:
    """`encoder` for a job that does not model a language."""
    if isinstance(kept, TokenEncoder):
        name = roles.inputs[0].name
        raise other_inputs("/dataset/input", f"the parent reads a language; '{name}' would be read by itself")
    return kept.for_roles(roles)


def token_encoder(kept: Encoder, roles: Roles, language: Language) -> TokenEncoder:
    """`encoder` for a job that models a language."""
    if not isinstance(kept, TokenEncoder):
        raise other_inputs("/dataset/input", "the parent reads columns; this job would read a language")
    for name in ("tokens", "documents", "context"):
        before, now = getattr(kept, name), getattr(language, name)
        if before != now:
            raise other_inputs(f"/dataset/{name}", f"{name} is {now}; the parent learned with {before}")
    return kept.model_copy(update={"name": roles.inputs[0].name})


def target(kept: FittedTarget, roles: Roles, words: str) -> FittedTarget | None:
    """The target of a checkpoint for the target column of a job; None if the job's answers are different.

    `words` is the first input column. Tags belong to its words.
    """
    return kept.reuse(roles.target, words) if kept.task == roles.task else None
