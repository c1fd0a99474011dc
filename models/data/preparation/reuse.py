"""What a network learned to read, carried to other rows: the same word keeps its number, the same value its place."""

from models.data.preparation.encoders import Encoder, TensorEncoder
from models.data.preparation.roles import Roles
from models.data.preparation.stream import NextToken
from models.data.preparation.targets import Classes, Tags, Target, Values
from models.errors import SpecError


def encoder(kept: Encoder, roles: Roles) -> Encoder:
    """The encoder that was kept, for the columns of a job. Raises SpecError where they are not what it reads."""
    if isinstance(kept, TensorEncoder):
        if roles.language is not None:
            raise _unlike("/dataset/input", "the parent reads columns; this job would read a language")
        return kept.for_roles(roles)
    first = roles.inputs[0]
    if roles.language is None:
        raise _unlike("/dataset/input", f"the parent reads a language; '{first.name}' would be read by itself")
    for name in ("tokens", "documents", "context"):
        before, now = getattr(kept, name), getattr(roles.language, name)
        if before != now:
            raise _unlike(f"/dataset/{name}", f"{name} is {now}; the parent learned with {before}")
    return kept.model_copy(update={"name": first.name})


def target(kept: Target, roles: Roles, words: str) -> Target | None:
    """The target that was kept, for the target column of a job; None where it asks for other answers.

    Classes and tags are the same when all of them are, values when their column is called the same: it has the same
    unit then. `words` is the column that tags belong to.
    """
    column = roles.target
    match kept:
        case Classes() if roles.task == "classification" and kept.classes == column.classes:
            return kept.model_copy(update={"name": column.name})
        case Values() if roles.task == "regression" and kept.name == column.name:
            return kept
        case Tags() if roles.task == "tagging" and kept.tags == column.classes:
            return kept.model_copy(update={"name": column.name, "words": words})
        case NextToken() if roles.task == "language_modeling":
            return kept
    return None


def _unlike(pointer: str, message: str) -> SpecError:
    return SpecError(pointer, message, code="other_inputs")
