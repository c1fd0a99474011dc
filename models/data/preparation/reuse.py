"""Reuse a checkpoint's encoders for other data: words keep their numbers, and values keep their positions."""

from models.data.preparation.encoders import Encoder, other_inputs
from models.data.preparation.roles import Roles
from models.data.preparation.stream import TokenEncoder
from models.parts.target import FittedTarget


def encoder(kept: Encoder, roles: Roles) -> Encoder:
    """The encoder that was kept, for the columns of a job. Raises SpecError where they are not what it reads."""
    if not isinstance(kept, TokenEncoder):
        if roles.language is not None:
            raise other_inputs("/dataset/input", "the parent reads columns; this job would read a language")
        return kept.for_roles(roles)
    first = roles.inputs[0]
    if roles.language is None:
        raise other_inputs("/dataset/input", f"the parent reads a language; '{first.name}' would be read by itself")
    for name in ("tokens", "documents", "context"):
        before, now = getattr(kept, name), getattr(roles.language, name)
        if before != now:
            raise other_inputs(f"/dataset/{name}", f"{name} is {now}; the parent learned with {before}")
    return kept.model_copy(update={"name": first.name})


def target(kept: FittedTarget, roles: Roles, words: str) -> FittedTarget | None:
    """The target that was kept, for the target column of a job; None where it asks for other answers.

    `words` is the column that tags belong to.
    """
    return kept.reuse(roles.target, words) if kept.task == roles.task else None
