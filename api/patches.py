"""A job spec changed by a JSON merge patch: RFC 7396, and what of a spec gives way to what is put in its place."""

from typing import Any

from athanor.contract import MAX_BATCH
from models.parts.loss import LOSSES
from models.parts.target import target_of

RIVALS = {
    name: other
    for pair in (("epochs", "steps"), ("every_epochs", "every_steps"), ("input", "inputs"), ("ema", "swa"))
    for name, other in (pair, pair[::-1])
}
"""Fields of which one at most is given: who gives one takes the other away."""

OF_THE_DATA = frozenset({"task", "inputs", "input", "target", "split"})
"""Choices made for one dataset, which say nothing of another."""

OF_THE_TASK = frozenset({"id", "task", "target"})
"""Choices that may make another task of a job."""


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


def patched(spec: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """An accepted spec with a patch merged into what of it still stands. It is yet to be validated."""
    standing = {name: _standing(value, patch.get(name)) if name != "tags" else value for name, value in spec.items()}
    if isinstance(choice := patch.get("dataset"), dict):
        standing["dataset"] = _without(standing["dataset"], _outdated(spec["dataset"], choice))
        if any(choice.get(name, old) != old for name, old in spec["dataset"].items() if name in OF_THE_TASK):
            standing = _open(standing, spec["dataset"]["task"])
    how, change = spec["hyperparameters"], patch.get("hyperparameters")
    optimizer = change.get("optimizer") if isinstance(change, dict) else None
    if how.get("batch_size") == MAX_BATCH and isinstance(optimizer, dict) and "kind" in optimizer:
        # Not chosen by anyone: the old optimizer took all rows at once.
        standing["hyperparameters"] = _without(standing["hyperparameters"], {"batch_size"})
    merged: dict[str, Any] = merge(standing, patch)
    return merged


def _standing(part: Any, patch: Any) -> Any:
    """What of a part is left beside a patch: nothing of another kind, no field whose rival is given."""
    if not isinstance(part, dict) or not isinstance(patch, dict):
        return part
    if "kind" in part and patch.get("kind", part["kind"]) != part["kind"]:
        return {}
    # The way in which one series improves says nothing of another.
    rivals = {"mode"} if patch.get("series", part.get("series")) != part.get("series") else set()
    rivals |= {RIVALS[name] for name, value in patch.items() if name in RIVALS and value is not None}
    return {name: _standing(value, patch.get(name)) for name, value in _without(part, rivals).items()}


def _outdated(old: dict[str, Any], choice: dict[str, Any]) -> frozenset[str]:
    """Fields of a dataset choice that the new one makes void."""
    gone: frozenset[str] = frozenset()
    if choice.get("id", old["id"]) != old["id"]:
        gone |= OF_THE_DATA
    if choice.get("target", old.get("target")) != old.get("target"):
        gone |= {"task"}
    if old.get("task") is not None and (asked := target_of(old["task"])).self_supervised:
        # What is its own target is not read off the columns.
        gone = gone - {"task"} if choice.get("task") in (None, old["task"]) else gone | set(asked.options)
    return gone


def _open(spec: dict[str, Any], task: str) -> dict[str, Any]:
    """A spec without what followed from its task and nobody chose: it follows from the next one."""
    asked = target_of(task)
    usual = LOSSES[asked.losses[0]].model_validate({}).model_dump(mode="json")
    how, policy = spec["hyperparameters"], spec["checkpoints"]
    return {
        **spec,
        "hyperparameters": _without(how, {"loss"}) if how.get("loss") == usual else how,
        "checkpoints": _without(policy, {"series", "mode"}) if policy.get("series") == asked.series else policy,
    }


def _without(part: dict[str, Any], names: frozenset[str] | set[str]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name not in names}
