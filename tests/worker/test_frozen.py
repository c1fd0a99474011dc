"""What is frozen keeps its bytes through every optimizer, while the rest moves."""

from pathlib import Path
from typing import Any

import pytest
import torch

from athanor.files import STATE
from models.errors import SpecError
from models.parts.architecture import Architecture, InputKind
from models.parts.architectures.cnn import CNN
from models.parts.architectures.resnet import ResNet
from models.parts.architectures.rnn import RNN
from models.parts.architectures.textcnn import TextCNN
from models.parts.optimizer import OPTIMIZERS
from models.parts.optimizers.adam import Adam
from models.parts.optimizers.adamw import AdamW
from models.planning.freezing import freeze
from tests import small
from worker.training import snapshot
from worker.training.learner import Learner
from worker.training.loop import fit

TEXT = TextCNN(embedding=8, channels=4, widths=[2, 3])
IMAGE = CNN(channels=[4, 6], hidden=[8])
EVERYTHING: dict[str, Any] = {
    "plain": {},
    "ema": {"ema": 0.5},
    "swa": {"swa": {"start": 0.0}},
    "pulled": {"l1": 0.1, "clip_norm": 0.1, "clip_value": 0.01, "max_norm": 0.1},
}


def _trained(architecture: Architecture, kind: InputKind, frozen: list[str], **more: Any) -> tuple[Learner, Any, Any]:
    """A learner after six steps, and its state before and after."""
    optimizer = more.pop("optimizer", AdamW(weight_decay=0.1))
    learner = small.learner(architecture, optimizer, kind, freeze=frozen, **more)
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    list(fit(learner, small.problem(kind), small.problem(kind, 7, seed=1)))
    return learner, before, learner.weights()


@pytest.mark.parametrize("config", EVERYTHING)
@pytest.mark.parametrize("kind", [part.model_fields["kind"].default for part in OPTIMIZERS])
def test_frozen_parameters_keep_their_bytes_and_the_others_move(kind: str, config: str) -> None:
    optimizer = OPTIMIZERS[kind].model_validate({"weight_decay": 0.1})
    learner, before, after = _trained(TEXT, "text", ["embedding", "convs.0"], optimizer=optimizer, **EVERYTHING[config])
    for name, value in after.items():
        still = name.startswith(("embedding", "convs.0."))
        assert torch.equal(value, before[name]) == still, name
        assert (learner.model.get_parameter(name).grad is None) == still
    held = {id(parameter) for group in learner.optimizer.param_groups for parameter in group["params"]}
    assert held == {id(parameter) for parameter in learner.model.parameters() if parameter.requires_grad}
    assert {id(parameter) for parameter in learner.optimizer.state} <= held


@pytest.mark.parametrize("config", EVERYTHING)
def test_statistics_of_frozen_normalization_stand_still(config: str) -> None:
    _, before, after = _trained(
        ResNet(stages=[4], blocks=2), "image", ["conv1", "bn1", "layer1.0"], **EVERYTHING[config]
    )
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert not any(name.startswith(("conv1.", "bn1.", "layer1.0.")) for name in moved)
    assert {"layer1.1.bn1.running_mean", "layer1.1.bn1.num_batches_tracked", "fc.weight"} <= moved


def test_normalization_frozen_by_its_parameters_stands_still_too() -> None:
    (normal,) = [name for name, _ in IMAGE.build(small.SHAPES["image"], 3).named_buffers() if "mean" in name][:1]
    module = normal.removesuffix(".running_mean")
    _, before, after = _trained(IMAGE, "image", [f"{module}.weight", f"{module}.bias"])
    assert torch.equal(after[normal], before[normal])


def test_what_lies_beneath_a_frozen_recurrent_layer_still_learns() -> None:
    _, before, after = _trained(RNN(embedding=6, hidden=5, bidirectional=False), "text", ["forward_layers"])
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert moved == {"embedding.weight", "head.weight", "head.bias"}


@pytest.mark.parametrize("config", EVERYTHING)
@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_a_resume_with_frozen_parameters_is_exact(optimizer: str, config: str, tmp_path: Path) -> None:
    """The state of an optimizer is kept by number: the numbers are those of what is trained."""

    def build(seed: int) -> Learner:
        chosen = OPTIMIZERS[optimizer].model_validate({})
        return small.learner(
            IMAGE, chosen, "image", seed=seed, freeze=["blocks.0"], decay_biases=False, **EVERYTHING[config]
        )

    def finish(learner: Learner, folder: Path) -> list[bytes]:
        list(fit(learner, small.problem("image"), small.problem("image", 7, seed=1)))
        return [(folder / file.name).read_bytes() for file in snapshot.write(snapshot.take(learner), folder, {}, "{}")]

    straight = finish(build(0), tmp_path / "straight")
    cut = build(0)
    for step in fit(cut, small.problem("image"), small.problem("image", 7, seed=1)):
        if step.number == 4:
            break
    snapshot.write(snapshot.take(cut), tmp_path / "cut", {}, "{}")
    again = build(9)
    # A stranger's frozen weights are not the ones that were saved.
    assert not torch.equal(next(again.model.parameters()), next(cut.model.parameters()))
    snapshot.restore(again, tmp_path / "cut")
    assert finish(again, tmp_path / "again") == straight


def test_a_name_is_known_from_its_start_to_a_dot() -> None:
    model = TEXT.build(small.SHAPES["text"], 3)
    freeze(model, ["convs.1", "head.bias"])
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen == {"convs.1.weight", "convs.1.bias", "head.bias"}


@pytest.mark.parametrize(
    ("starts", "pointer", "code", "suggestion"),
    [
        (["embeding"], "/hyperparameters/freeze/0", "unknown_parameter", "did you mean 'embedding'"),
        (["head", "conv"], "/hyperparameters/freeze/1", "unknown_parameter", "convs"),
        (["head."], "/hyperparameters/freeze/0", "unknown_parameter", "'head'"),
        (["zzz"], "/hyperparameters/freeze/0", "unknown_parameter", "embedding, convs, head"),
        (["embedding", "convs", "head"], "/hyperparameters/freeze", "all_frozen", None),
    ],
)
def test_what_cannot_be_frozen_is_refused(starts: list[str], pointer: str, code: str, suggestion: str | None) -> None:
    with pytest.raises(SpecError) as refused:
        freeze(TEXT.build(small.SHAPES["text"], 3), starts)
    assert (refused.value.pointer, refused.value.code) == (pointer, code)
    assert (suggestion is None) == (refused.value.suggestion is None)
    assert suggestion is None or suggestion in (refused.value.suggestion or "")


def test_a_state_has_nothing_of_what_is_frozen(tmp_path: Path) -> None:
    sizes = {}
    for name, frozen in (("all", []), ("some", ["embedding"])):
        learner, _, _ = _trained(TEXT, "text", frozen, optimizer=Adam())
        snapshot.write(snapshot.take(learner), tmp_path / name, {}, "{}")
        sizes[name] = (tmp_path / name / STATE).stat().st_size
    assert sizes["all"] - sizes["some"] >= 2 * 4 * 12 * 8, "Adam keeps two numbers a parameter"
