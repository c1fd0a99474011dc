"""Freeze parameters: they get no gradient, no optimizer state and no weight decay."""

from itertools import accumulate

from torch import nn

from models.errors import SpecError, similar


def freeze(model: nn.Module, starts: list[str]) -> None:
    """Freeze every parameter whose name, or a prefix of it up to a dot, is one of `starts`. Raises SpecError."""
    parameters = dict(model.named_parameters())
    for at, start in enumerate(starts):
        chosen = [name for name in parameters if f"{name}.".startswith(f"{start}.")]
        if not chosen:
            raise SpecError(
                f"/hyperparameters/freeze/{at}",
                f"no parameter of the network has the name or the prefix '{start}'",
                code="unknown_parameter",
                suggestion=_near(start, list(parameters)),
            )
        for name in chosen:
            parameters[name].requires_grad_(False)
    if starts and not any(parameter.requires_grad for parameter in parameters.values()):
        raise SpecError("/hyperparameters/freeze", "every parameter is frozen; leave some to train", code="all_frozen")


def _near(start: str, names: list[str]) -> str:
    starts = list(dict.fromkeys(each for name in names for each in accumulate(name.split("."), "{}.{}".format)))
    if close := similar(start, starts, 3):
        return "did you mean " + " or ".join(f"'{each}'" for each in close) + "?"
    tops = list(dict.fromkeys(name.partition(".")[0] for name in names))
    return "its names begin with " + ", ".join(tops[:20])
