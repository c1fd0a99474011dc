"""A job spec changed by a JSON merge patch: RFC 7396, and what of a spec gives way to what is put in its place."""

from typing import Any

RIVALS = {
    name: other
    for pair in (("epochs", "steps"), ("every_epochs", "every_steps"), ("input", "inputs"), ("ema", "swa"))
    for name, other in (pair, pair[::-1])
}
"""Fields of which one at most is given: who gives one takes the other away."""


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396: an object's members one by one, of which null takes one away; everything else is replaced."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def patched(submitted: dict[str, Any], spec: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """A spec as it was submitted, with a patch merged into it. It is yet to be validated.

    `spec` is the same with every default filled in: a patch may change one field of a part that nobody named.
    """
    # Tags are named by their users, and no name of theirs means anything here.
    parts = {name: value for name, value in patch.items() if name != "tags"}
    merged: dict[str, Any] = merge(_standing(submitted, spec, parts), patch)
    return merged


def with_vain_nulls(merged: Any, spec: Any, patch: Any) -> Any:
    """A merged spec in which null stands again where the patch removed what was not there.

    `spec` is the one before the patch, with every default filled in. So what its parts do not have is either a field
    of another kind of part, or no field at all: the validation of the answer tells which.
    """
    if not isinstance(merged, dict) or not isinstance(patch, dict):
        return merged
    before = spec if isinstance(spec, dict) else {}
    again = {
        name: None if value is None else with_vain_nulls(merged.get(name), before.get(name), value)
        for name, value in patch.items()
        if value is not None or name not in before
    }
    return merged | again


def _standing(given: Any, filled: Any, patch: Any) -> Any:
    """What stands beside a patch of what was given: nothing of another kind, no field whose rival is in the patch."""
    if not isinstance(patch, dict) or not isinstance(filled, dict):
        return given
    if "kind" in filled and patch.get("kind", filled["kind"]) != filled["kind"]:
        return {}
    given = given or (filled if "kind" in filled else {})
    fields = {name for name, value in patch.items() if isinstance(value, dict) and isinstance(filled.get(name), dict)}
    # The way in which one series improves says nothing of another.
    gone = {"mode"} if patch.get("series", filled.get("series")) != filled.get("series") else set()
    gone |= {RIVALS[name] for name, value in patch.items() if name in RIVALS and value is not None}
    return {
        name: _standing(given.get(name), filled.get(name), patch.get(name))
        for name in dict.fromkeys((*given, *sorted(fields)))
        if name not in gone
    }
