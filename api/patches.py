"""Change a job spec with a JSON merge patch (RFC 7396), and drop the fields that the patch replaces."""

from typing import Any

EXCLUSIVE = {
    name: other
    for pair in (
        ("epochs", "steps"),
        ("every_epochs", "every_steps"),
        ("warmup_epochs", "warmup_steps"),
        ("input", "inputs"),
        ("ema", "swa"),
    )
    for name, other in (pair, pair[::-1])
}
"""Pairs of fields of which a spec has at most one. A patch that gives one removes the other."""


def merge(target: Any, patch: Any) -> Any:
    """Merge `patch` into `target`: null removes a member of an object, and all other values replace it. RFC 7396."""
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
    """The `submitted` spec with a patch merged into it, not yet validated.

    `spec` is the same spec with every default filled in: a patch may change a field of a part that was not submitted.
    """
    # Users choose the names of tags, so a tag may be called "kind" or "epochs".
    parts = {name: value for name, value in patch.items() if name != "tags"}
    merged: dict[str, Any] = merge(_kept(submitted, spec, parts), patch)
    return merged


def with_unused_nulls(merged: Any, spec: Any, patch: Any) -> Any:
    """The merged spec, with null at each field that the patch removes and `spec` does not have.

    `spec` is the spec before the patch, with every default filled in. A field that it does not have is a field of
    another kind of part, or a misspelling. Validating the result tells which.
    """
    if not isinstance(merged, dict) or not isinstance(patch, dict):
        return merged
    before = spec if isinstance(spec, dict) else {}
    again = {
        name: None if value is None else with_unused_nulls(merged.get(name), before.get(name), value)
        for name, value in patch.items()
        if value is not None or name not in before
    }
    return merged | again


def _kept(given: Any, filled: Any, patch: Any) -> Any:
    """`given` without the fields that the patch makes invalid: those of another kind, and those it excludes."""
    if not isinstance(patch, dict) or not isinstance(filled, dict):
        return given
    if "kind" in filled and patch.get("kind", filled["kind"]) != filled["kind"]:
        return {}
    given = given or (filled if "kind" in filled else {})
    fields = {name for name, value in patch.items() if isinstance(value, dict) and isinstance(filled.get(name), dict)}
    # The direction of one series says nothing about another series.
    gone = {"mode"} if patch.get("series", filled.get("series")) != filled.get("series") else set()
    gone |= {EXCLUSIVE[name] for name, value in patch.items() if name in EXCLUSIVE and value is not None}
    return {
        name: _kept(given.get(name), filled.get(name), patch.get(name))
        for name in dict.fromkeys((*given, *sorted(fields)))
        if name not in gone
    }
