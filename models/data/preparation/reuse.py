"""What a network learned to read, carried to other rows: the same word keeps its number, the same value its place."""

from models.data.preparation.encoders import ArrayEncoder, Encoder, ImageEncoder, TextEncoder, VectorEncoder
from models.data.preparation.roles import Roles
from models.data.preparation.stream import TokenEncoder
from models.errors import SpecError
from models.parts.target import FittedTarget

READS = {"vector": "columns of a table", "array": "arrays", "image": "images", "text": "words", "stream": "a language"}


def encoder(kept: Encoder, roles: Roles) -> Encoder:
    """The encoder that was kept, for the columns of a job. Raises Refusal where they are not what it reads."""
    if kept.form != roles.form:
        raise _unlike("/dataset/input", f"the parent reads {READS[kept.form]}; this job would read {READS[roles.form]}")
    first = roles.inputs[0]
    match kept:
        case VectorEncoder():
            _check_columns(kept, roles)
            return kept
        case ArrayEncoder() | ImageEncoder():
            height, width, channels = (*(first.shape or []), 1, 1, 1)[:3]
            wanted = list(kept.shape) if isinstance(kept, ImageEncoder) else [len(kept.mean)]
            found = [channels, height, width] if isinstance(kept, ImageEncoder) else [_size(first.shape or [])]
            if wanted != found:
                there, here = (" × ".join(map(str, shape)) for shape in (wanted, found))
                raise _unlike("/dataset/input", f"'{first.name}' is {here}; the parent learned from {there}")
            return kept.model_copy(update={"name": first.name})
        case TextEncoder():
            return kept.model_copy(update={"name": first.name, "split": first.kind == "text"})
        case TokenEncoder():
            assert roles.language is not None
            for name in ("tokens", "documents", "context"):
                before, now = getattr(kept, name), getattr(roles.language, name)
                if before != now:
                    raise _unlike(f"/dataset/{name}", f"{name} is {now}; the parent learned with {before}")
            return kept.model_copy(update={"name": first.name})


def target(kept: FittedTarget, roles: Roles, words: str) -> FittedTarget | None:
    """The target that was kept, for the target column of a job; None where it asks for other answers.

    `words` is the column that tags belong to.
    """
    return kept.reuse(roles.target, words) if kept.task == roles.task else None


def columns(kept: VectorEncoder) -> dict[str, str]:
    """Kind by name of the columns that a table needs."""
    numbers = {scale.name: "number" for scale in kept.numbers}
    return numbers | {column.name: "category" for column in kept.categories}


def _check_columns(kept: VectorEncoder, roles: Roles) -> None:
    wanted, found = columns(kept), {column.name: column.kind for column in roles.inputs}
    if odd := sorted(wanted.keys() ^ found.keys()):
        verb = "learned from" if odd[0] in wanted else "did not learn from"
        raise _unlike("/dataset/inputs", f"the parent {verb} '{odd[0]}'; give the columns it learned from, or none")
    for name, kind in wanted.items():
        if found[name] != kind:
            raise _unlike("/dataset/inputs", f"'{name}' is a {found[name]} column; the parent learned it as a {kind}")


def _size(shape: list[int]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _unlike(pointer: str, message: str) -> SpecError:
    return SpecError(pointer, message, code="other_inputs")
