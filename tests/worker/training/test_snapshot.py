"""Snapshots on disk. That a resume from one is exact is shown in test_resume.py."""

import hashlib
import json
import math
import os
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from athanor.files import FILES, SCALARS, STATE, WEIGHTS
from models.parts.architecture import Architecture, InputKind
from models.parts.architectures.cnn import CNN
from models.parts.architectures.mlp import MLP
from models.parts.optimizers.adam import Adam
from models.parts.optimizers.sgd import SGD
from tests import small
from worker.training import snapshot
from worker.training.completed_folds import CompletedFolds
from worker.training.learner import Learner
from worker.training.loop import fit

NAMES = ["weights.safetensors", "state.safetensors", "state.json", "preparation.json"]


def _trained(architecture: Architecture | None = None, kind: InputKind = "vector", **more: Any) -> Learner:
    learner = small.learner(architecture or MLP(hidden=[4]), Adam(), kind, steps=2, **more)
    list(fit(learner, small.problem(kind), None))
    return learner


def test_files_and_digests(tmp_path: Path) -> None:
    files = snapshot.write(snapshot.take(_trained()), tmp_path / "step-2", {"step": 2}, '{"encoder": null}')
    assert [file.name for file in files] == list(FILES) == NAMES
    assert sorted(path.name for path in (tmp_path / "step-2").iterdir()) == sorted(NAMES)
    for file in files:
        data = (tmp_path / "step-2" / file.name).read_bytes()
        assert (file.bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (tmp_path / "step-2" / "preparation.json").read_text() == '{"encoder": null}'
    assert [path.name for path in tmp_path.iterdir()] == ["step-2"]


def test_weights_say_what_they_are_of(tmp_path: Path) -> None:
    about = {"step": 2, "architecture": {"kind": "mlp"}}
    learner = _trained()
    snapshot.write(snapshot.take(learner), tmp_path / "s", about, "{}")
    data = (tmp_path / "s" / "weights.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert json.loads(header["__metadata__"]["athanor"]) == about
    assert load_file(tmp_path / "s" / "weights.safetensors").keys() == learner.model.state_dict().keys()


def test_the_average_is_what_people_download(tmp_path: Path) -> None:
    learner = _trained(ema=0.9)
    snapshot.write(snapshot.take(learner), tmp_path / "s", {}, "{}")
    assert learner.average is not None
    weights, state = load_file(tmp_path / "s" / WEIGHTS), load_file(tmp_path / "s" / STATE)
    for name, value in learner.model.state_dict().items():
        assert torch.equal(weights[name], learner.average[name])
        assert torch.equal(state[f"model.{name}"], value)
        assert not torch.equal(weights[name], value)


def test_weights_do_not_tell_in_which_layout_they_were_trained(tmp_path: Path) -> None:
    learner = _trained(CNN(channels=[4, 6], hidden=[]), "image")
    snapshot.write(snapshot.take(learner), tmp_path / "s", {}, "{}")
    convolution = learner.model.state_dict()["blocks.1.conv.weight"]
    assert convolution.is_contiguous(memory_format=torch.channels_last) and not convolution.is_contiguous()
    saved = load_file(tmp_path / "s" / WEIGHTS)["blocks.1.conv.weight"]
    assert torch.equal(saved, convolution) and saved.is_contiguous()


def test_what_was_restored_keeps_no_file_in_memory(tmp_path: Path) -> None:
    """Tensors of one file share its memory: a single number of it would hold all of it."""
    snapshot.write(snapshot.take(_trained()), tmp_path / "s", {}, "{}")
    learner = small.learner(MLP(hidden=[4]), Adam(), "vector", steps=2)
    snapshot.restore(learner, tmp_path / "s")
    state = [value for each in learner.optimizer.state.values() for value in each.values()]
    assert len({value.untyped_storage().data_ptr() // 64 for value in state}) == len(state) == 3 * 2
    places = sorted(value.untyped_storage().data_ptr() for value in state if value.dim() == 0)
    assert all(place % 64 == 0 for place in places), "each where torch puts what it makes itself"


def test_what_a_newer_version_saved_beside_is_left_out(tmp_path: Path) -> None:
    learner = _trained()
    snapshot.write(snapshot.take(learner, CompletedFolds(folds=1)), tmp_path / "s", {}, "{}")
    scalars = json.loads((tmp_path / "s" / SCALARS).read_text())
    for part in ("state", "completed_folds"):
        scalars[part]["mood"] = 0.5
    (tmp_path / "s" / SCALARS).write_text(json.dumps(scalars))
    again = small.learner(MLP(hidden=[4]), Adam(), "vector", steps=2)
    snapshot.restore(again, tmp_path / "s")
    assert again.state == learner.state
    assert snapshot.completed_folds(tmp_path / "s") == CompletedFolds(folds=1)


@pytest.mark.parametrize("fails_at", range(1, 5))
def test_a_half_written_snapshot_never_has_its_name(
    fails_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = fails_at
    truly = os.fsync

    def fsync(handle: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError(28, "No space left on device")
        truly(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No space"):
        snapshot.write(snapshot.take(_trained()), tmp_path / "step-2", {}, "{}")
    assert not (tmp_path / "step-2").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["step-2.part"]


def test_every_file_is_synced_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    truly, renames = os.fsync, Path.rename

    def fsync(handle: int) -> None:
        done.append("sync")
        truly(handle)

    def rename(path: Path, to: Path) -> Path:
        done.append("rename")
        return renames(path, to)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    snapshot.write(snapshot.take(_trained()), tmp_path / "s", {}, "{}")
    assert done == ["sync"] * 4 + ["rename"]


def test_a_snapshot_of_another_network_is_not_taken(tmp_path: Path) -> None:
    snapshot.write(snapshot.take(_trained()), tmp_path / "s", {}, "{}")
    other = small.learner(MLP(hidden=[4, 4]), Adam(), "vector")
    with pytest.raises(RuntimeError, match=r"fc3"):
        snapshot.restore(other, tmp_path / "s")


def test_no_state_where_the_optimizer_keeps_none(tmp_path: Path) -> None:
    learner = small.learner(MLP(hidden=[4]), SGD(momentum=0.0), "vector", steps=2)
    list(fit(learner, small.problem("vector"), None))
    snapshot.write(snapshot.take(learner), tmp_path / "s", {}, "{}")
    assert set(load_file(tmp_path / "s" / STATE)) == set()


def test_a_snapshot_knows_the_folds_before_it(tmp_path: Path) -> None:
    completed = CompletedFolds(
        2, 480, [{"test/accuracy": 0.5}, {"test/accuracy": math.nan}], [{"test/accuracy": 0.25}] * 3
    )
    snapshot.write(snapshot.take(_trained(), completed), tmp_path / "s", {}, "{}")
    assert repr(snapshot.completed_folds(tmp_path / "s")) == repr(completed)
    assert snapshot.completed_folds(tmp_path / "s") is not completed
