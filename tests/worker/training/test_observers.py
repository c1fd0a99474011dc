"""Observers look between the stages of a step, and change no byte."""

from pathlib import Path
from typing import Any

import pytest
import torch

from models.parts.architectures.cnn import CNN
from models.parts.architectures.mlp import MLP
from models.parts.optimizers.adam import Adam
from tests import small
from worker.training import snapshot
from worker.training.learner import Learner
from worker.training.loop import fit
from worker.training.step import STAGES, StepTensors

FILES = ("weights.safetensors", "state.safetensors", "state.json")


class GradientNorms:
    """The norm of the gradient of every layer, before it is clipped."""

    def __init__(self) -> None:
        self.layers: list[str] = []
        self.norms: tuple[torch.Tensor, ...] = ()

    def observe(self, stage: str, learner: Learner, tensors: StepTensors) -> None:
        if stage != "backward" or not tensors.reports:
            return
        named = [(name, each.grad) for name, each in learner.model.named_parameters() if each.grad is not None]
        self.layers = [name for name, _ in named]
        self.norms = torch._foreach_norm([grad for _, grad in named])

    def series(self) -> dict[str, float]:
        norms = torch.stack(self.norms).tolist()
        return {f"layers/{name}/grad_norm": norm for name, norm in zip(self.layers, norms, strict=True)}


class Diary:
    """The stages that it was shown, and the steps that report, counted from 0."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.reports: list[int] = []

    def observe(self, stage: str, learner: Learner, tensors: StepTensors) -> None:
        self.stages.append(stage)
        if stage == "forward" and tensors.reports:
            self.reports.append(learner.state.step)

    def series(self) -> dict[str, float]:
        return {"diary/stages": len(self.stages)}


@pytest.mark.parametrize("more", [{}, {"clip_norm": 0.1, "l1": 0.01, "ema": 0.9}], ids=["plain", "every-stage"])
def test_gradient_norms_of_every_layer_change_no_byte(more: dict[str, Any], tmp_path: Path) -> None:
    files: list[list[bytes]] = []
    histories: list[list[dict[str, float]]] = []
    for observers in ([], [GradientNorms()]):
        learner = small.learner(CNN(channels=[4, 6], hidden=[8], dropout=0.4), Adam(), "image", steps=9, **more)
        steps = fit(learner, small.problem("image"), small.problem("image", 7, seed=1), observers)
        histories.append([step.series for step in small.timeless(steps)])
        folder = tmp_path / str(len(files))
        snapshot.write(snapshot.take(learner), folder, {}, "{}")
        files.append([(folder / name).read_bytes() for name in FILES])
    assert files[0] == files[1]
    layers = [f"layers/{name}/grad_norm" for name, _ in learner.model.named_parameters()]
    for plain, observed in zip(*histories, strict=True):
        norms = [observed.pop(name) for name in layers]
        assert observed == plain
        # Together they are the norm of the whole gradient, as it is before it is clipped.
        assert sum(norm**2 for norm in norms) ** 0.5 == pytest.approx(plain["grad_norm"], rel=1e-4)


def test_observers_see_every_stage_in_its_order_and_report_where_the_step_does() -> None:
    diary = Diary()
    learner = small.learner(MLP(hidden=[4]), Adam(), "vector", steps=4, every_steps=2)
    steps = list(fit(learner, small.problem("vector"), None, [diary]))
    assert diary.stages == ["forward", "backward", "clip", "update", "average"] * 4
    assert [step.series.get("diary/stages") for step in steps] == [None, 2 * len(STAGES), None, 4 * len(STAGES)]
    assert diary.reports == [1, 3]
