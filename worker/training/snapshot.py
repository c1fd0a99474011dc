"""Snapshots: write a learner to files and restore it. Tensors are safetensors, the rest is JSON, nothing is pickled.

`weights.safetensors` is the file for users. `state.safetensors` and `state.json` hold what else a resume needs.
`preparation.json` describes how rows become tensors.
"""

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from athanor.contract import CheckpointFile
from athanor.files import FILES, PREPARATION, SCALARS, STATE, WEIGHTS
from worker.training.completed_folds import CompletedFolds
from worker.training.learner import Learner
from worker.training.stages.averaging import Tensors
from worker.training.stages.progress import LoopState


@dataclass(frozen=True)
class Snapshot:
    """All state of a training after a step, in memory. Each field becomes a file."""

    weights: Tensors
    """What evaluations use: the average if there is one, else the model's."""
    state: Tensors
    """What else a resume needs: tensors of the optimizer, and the model's beside an average."""
    scalars: dict[str, Any]
    """The same, of what is no tensor: values of JSON."""

    def lasting(self, weights: Tensors) -> "Snapshot":
        """The same in host memory, where no later step changes it. `weights` is a copy of its weights."""
        state = {name: value.detach().to("cpu", copy=True) for name, value in self.state.items()}
        return Snapshot(weights, state, self.scalars)


def take(learner: Learner, completed: CompletedFolds | None = None) -> Snapshot:
    """The state as it is now, whose tensors the next step changes."""
    arrays, scalars = _state(learner)
    scalars["completed_folds"] = asdict(completed or CompletedFolds())
    return Snapshot(learner.weights(), arrays, scalars)


def write(snapshot: Snapshot, folder: Path, about: dict[str, Any], preparation: str) -> list[CheckpointFile]:
    """Write a snapshot to a new folder. It is synced and then renamed, so it exists complete or not at all."""
    partial = folder.with_name(folder.name + ".part")
    partial.mkdir()
    # A single entry: safetensors does not fix the order of several, and equal jobs must give equal bytes.
    metadata = {"athanor": json.dumps(about, sort_keys=True)}
    _save(snapshot.weights, partial / WEIGHTS, metadata)
    _save(snapshot.state, partial / STATE)
    (partial / SCALARS).write_text(json.dumps(snapshot.scalars, sort_keys=True))
    (partial / PREPARATION).write_text(preparation)
    files = []
    for name in FILES:
        with (partial / name).open("rb") as file:
            os.fsync(file.fileno())
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        files.append(CheckpointFile(name=name, bytes=(partial / name).stat().st_size, sha256=sha256))
    partial.rename(folder)
    return files


def restore(learner: Learner, folder: Path) -> None:
    """Restore a newly built learner from a snapshot."""
    arrays = load_file(folder / STATE)
    scalars = json.loads((folder / SCALARS).read_text())
    weights = load_file(folder / WEIGHTS)
    if trained := _below(arrays, "model."):
        # SWA starts in the middle of a training, so a new learner has no average yet.
        if learner.average is None:
            learner.average = {name: value.detach().clone() for name, value in learner.model.state_dict().items()}
        _fill(learner.average, weights)
        learner.model.load_state_dict(trained)
    else:
        learner.model.load_state_dict(weights)
    _restore_optimizer(learner.optimizer, _below(arrays, "optimizer."), scalars["optimizer"])
    learner.state = LoopState(**_known(LoopState, scalars["state"]))


def completed_folds(folder: Path) -> CompletedFolds:
    """The folds that were complete when the snapshot was written."""
    scalars = json.loads((folder / SCALARS).read_text())
    return CompletedFolds(**_known(CompletedFolds, scalars["completed_folds"]))


def _known(kind: type[LoopState] | type[CompletedFolds], saved: dict[str, Any]) -> dict[str, Any]:
    """The fields that this version knows. A newer version may have saved more; the job then says it is not exact."""
    return {each.name: saved[each.name] for each in fields(kind) if each.name in saved}


def _state(learner: Learner) -> tuple[Tensors, dict[str, Any]]:
    arrays: Tensors = {}
    if learner.average is not None:
        arrays |= {f"model.{name}": value for name, value in learner.model.state_dict().items()}
    kept: dict[str, Any] = {}
    for number, state in learner.optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor):
                arrays[f"optimizer.{number}.{name}"] = value
            else:
                kept[f"{number}.{name}"] = value
    return arrays, {"state": asdict(learner.state), "optimizer": kept}


def _restore_optimizer(optimizer: torch.optim.Optimizer, arrays: Tensors, kept: dict[str, Any]) -> None:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for path, value in {**arrays, **kept}.items():
        number, _, name = path.partition(".")
        parameter = parameters[int(number)]
        if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
            # Keep the parameter's memory layout: fused kernels read raw memory and ignore strides.
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        elif isinstance(value, torch.Tensor):
            assert value.dim() == 0, f"{path} has the shape {list(value.shape)}: the state is that of another engine"
            # Copy: all loaded tensors share one buffer, and a single scalar would keep the buffer in memory.
            value = value.to(parameter.device, copy=True)
        optimizer.state[parameter][name] = value


def _save(tensors: Tensors, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write tensors to a file. Raises OSError if the disk fails, in place of the library's own error."""
    try:
        save_file(_plain(tensors), path, metadata)
    except SafetensorError as error:
        if number := re.search(r"os error (\d+)", str(error)):
            raise OSError(int(number[1]), os.strerror(int(number[1])), path.name) from error
        raise


def _plain(tensors: Tensors) -> Tensors:
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}


def _below(arrays: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


@torch.no_grad()
def _fill(target: Tensors, saved: Tensors) -> None:
    assert target.keys() == saved.keys(), sorted(target.keys() ^ saved.keys())
    for name, value in target.items():
        value.copy_(saved[name])
