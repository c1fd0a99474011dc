"""Answers of the service, whole and valid, with what a test cares about said by name."""

from typing import Any


def a_job(**said: Any) -> dict[str, Any]:
    state = said.get("state", "running")
    return {
        "id": "job_1",
        "name": "reviews",
        "state": state,
        "is_terminal": state in {"succeeded", "failed", "cancelled"},
        "desired": "run",
        "spec": {"architecture": {"kind": "mlp"}, "dataset": {"id": "digits"}},
        "dataset_id": "digits",
        "attempt": 1,
        "created_at": "2026-01-02T03:04:05.678Z",
        "progress": {"step": 30, "steps": 60, "epoch": 1.5, "eta_seconds": 12.0},
        "latest": {"train/loss": {"step": 30, "value": 0.25}, "val/accuracy": {"step": 30, "value": 0.875}},
        "best": {"val/accuracy": {"step": 30, "value": 0.875}},
    } | said


def a_page(*data: dict[str, Any]) -> dict[str, Any]:
    return {"data": list(data), "has_more": False, "next": None}


def points(next: int, **series: tuple[list[int], list[float]]) -> dict[str, Any]:
    """`train_loss=([1, 2], [0.5, 0.4])`: the first underscore stands for the slash of the name."""
    return {
        "series": {
            name.replace("_", "/", 1): {"steps": steps, "values": values, "times": [0.0] * len(steps)}
            for name, (steps, values) in series.items()
        },
        "next": next,
    }


def a_checkpoint(**said: Any) -> dict[str, Any]:
    return {
        "id": "ckpt_1",
        "job_id": "job_1",
        "step": 60,
        "epoch": 3.0,
        "attempt": 1,
        "reason": "best",
        "score": 0.2,
        "bytes": 10,
        "sha256": "0" * 64,
        "created_at": "2026-01-02T03:04:05.678Z",
        "files": [],
    } | said


def a_dataset(**said: Any) -> dict[str, Any]:
    target = {"name": "label", "kind": "category", "classes": ["a", "b"], "counts": [30, 10]}
    return {
        "id": "ds_1",
        "name": "reviews",
        "format": "csv",
        "rows": 40,
        "bytes": 4096,
        "sha256": "0" * 64,
        "created_at": "2026-01-02T03:04:05.678Z",
        "schema": {
            "columns": [{"name": "text", "kind": "text", "vocabulary": 9, "max_length": 4}, target],
            "target": "label",
        },
        "warnings": [{"code": "odd", "message": "2 rows are empty", "rows": [3, 7]}],
    } | said
