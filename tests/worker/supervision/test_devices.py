"""Devices, as the driver's tool tells of them."""

import os
import stat
from pathlib import Path

import pytest

from worker.supervision import devices


def _tool(folder: Path, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver's tool that gives this answer, alone on the path."""
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{answer}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("quota", "most"), [("max 100000", None), ("50000 100000", 1), ("100000 100000", 1), ("", None)]
)
def test_processors_are_those_that_may_be_used(quota: str, most: int | None, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    allowed = len(os.sched_getaffinity(0))
    assert devices.processors(tmp_path / "cpu.max") == (allowed if most is None else min(allowed, most))
    assert devices.processors(tmp_path / "none") == allowed


TWO = "printf 'NVIDIA A100, 81920\\nTesla V100, PCIe, 16384\\n'"


def test_devices_are_asked_of_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    _tool(tmp_path, TWO, monkeypatch)
    found = devices.visible()
    assert [(each.kind, each.name, each.memory_bytes) for each in found] == [
        ("cuda", "NVIDIA A100", 81920 * 2**20),
        ("cuda", "Tesla V100, PCIe", 16384 * 2**20),
    ]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert [each.name for each in devices.visible()] == ["NVIDIA A100"]


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_hidden_devices_are_not_there(hidden: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tool(tmp_path, TWO, monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert [each.kind for each in devices.visible()] == ["cpu"]


@pytest.mark.parametrize("answer", ["exit 9", ":"])
def test_a_driver_without_devices_leaves_the_processor(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    _tool(tmp_path, answer, monkeypatch)
    (found,) = devices.visible()
    assert found.kind == "cpu" and found.name and found.memory_bytes is None


def test_no_tool_no_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [each.kind for each in devices.visible()] == ["cpu"]


@pytest.mark.parametrize(
    ("allowed", "count", "expected"),
    [
        (None, 2, ["0", "1"]),
        ("", 2, []),
        ("-1", 2, []),
        ("1", 2, ["1"]),
        ("3, 1", 4, ["3", "1"]),
        ("1,-1,0", 2, ["1"]),
        ("GPU-8f2e", 2, ["GPU-8f2e"]),
        ("0,1,2", 2, ["0", "1"]),
        (None, 0, []),
    ],
)
def test_numbers_of_the_slots(
    allowed: str | None, count: int, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if allowed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert devices.cuda_numbers(count) == expected
