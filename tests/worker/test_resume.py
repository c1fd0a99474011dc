"""A run cut anywhere and resumed ends with the same bytes and the same history as one never touched."""

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.data.preparation.examples import Part, Stream
from models.parts.architecture import ARCHITECTURES, Architecture, InputKind
from models.parts.augmentation import AUGMENTATIONS
from models.parts.optimizer import OPTIMIZERS, Optimizer
from models.parts.optimizers.adam import Adam
from models.parts.optimizers.sgd import SGD
from models.parts.schedule import SCHEDULES, ReduceOnPlateau
from models.parts.schedules.cosine import Cosine
from tests import small
from worker.training import snapshot
from worker.training.batch import AugmentedBatches
from worker.training.learner import Learner
from worker.training.loader import Supply
from worker.training.loop import fit
from worker.training.stages.progress import EarlyStopping, LoopState

ROOT = Path(__file__).parents[2]
STEPS, ROWS, SEED = 14, 14, 4
FILES = ("weights.safetensors", "state.safetensors", "state.json", "preparation.json")
History = list[tuple[int, dict[str, float], float | None, bool, bool]]

SMALLER: dict[str, dict[str, Any]] = {
    "mlp": {"hidden": [8, 6], "dropout": 0.4},
    "cnn": {"channels": [4, 6], "hidden": [8], "dropout": 0.4},
    "fourier_mlp": {"features": 6, "hidden": [8, 6]},
    "resnet": {"stages": [4, 6], "blocks": 1},
    "stn_cnn": {"localizer": [3], "localizer_hidden": 5, "channels": [4, 6], "hidden": [8], "dropout": 0.4},
    "neural_ngram": {"order": 4, "embedding": 6, "hidden": 8, "direct": True, "dropout": 0.4},
    "transformer_lm": {"layers": 2, "heads": 2, "width": 8, "dropout": 0.4},
    "textcnn": {"embedding": 8, "channels": 4, "widths": [2, 3], "dropout": 0.4},
    "transformer": {"width": 8, "heads": 2, "feedforward": 6, "dropout": 0.4},
}
"""Where the defaults would take a while."""

CONFIGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "everything": {
        "ema": 0.8,
        "clip_norm": 0.5,
        # The third evaluation, at step 12, is one too many.
        "progress": {"early_stopping": EarlyStopping("val/loss", "min", patience=2, min_delta=1e9)},
        "schedule": Cosine(warmup_steps=3),
    },
    "falling": {
        # Falls at the ends of the second and the third epoch.
        "progress": {"plateau": ReduceOnPlateau(factor=0.3, patience=0, threshold=1e9, least=0.0)},
    },
    "averaging": {
        # From the end of the second epoch, at step 8.
        "swa": {"start": 0.4},
        "l1": 1e-3,
        "clip_value": 0.05,
        "max_norm": 0.5,
        "decay_biases": False,
    },
    "augmented": {},
}
CUTS = (1, 2, 4, 9, 12)
"""An epoch has four steps: after the first step of all, in the middle of an epoch, at the end of one; before and after
the rate falls, the average begins and patience ends. From two of them the training goes on across the end of an epoch.
"""
RATES = {f"rate-{part.model_fields['kind'].default}": part.model_validate({"warmup_steps": 3}) for part in SCHEDULES}
"""Configurations that differ in nothing else."""


def _architecture(kind: str) -> Architecture:
    return ARCHITECTURES[kind].model_validate(SMALLER.get(kind, {}))


def _fitting(kind: str) -> InputKind:
    # The image, where there is a choice: it has a memory layout to lose.
    return next(way for way in ("image", "text", "vector") if way in ARCHITECTURES[kind].accepts)


# What is counted is resumed in test_counting.py.
DESCENDED = [part.model_fields["kind"].default for part in ARCHITECTURES if small.descends(part)]
EVERY_OPTIMIZER = {"mlp", "cnn", "rnn", "transformer_lm"}
"""What an optimizer keeps depends on parameters' shapes and layouts, and these have them all."""

ALL = (
    [
        pytest.param(kind, optimizer, config, id=f"{kind}-{optimizer.kind}{extra}-{config}")
        for kind in DESCENDED
        for optimizer, extra in [
            *((part.model_validate({}), "") for part in OPTIMIZERS),
            (SGD(momentum=0.0), "-no-momentum"),
            (SGD(momentum=0.8, nesterov=True, weight_decay=0.01), "-nesterov"),
        ]
        for config in ("plain", "everything")
        if kind in EVERY_OPTIMIZER or optimizer.kind == "adam"
    ]
    + [
        pytest.param(kind, Adam(), config, id=f"{kind}-adam-{config}")
        for kind in DESCENDED
        for config in sorted(CONFIGS.keys() - {"plain", "everything"})
    ]
    + [pytest.param("mlp", Adam(), config, id=f"mlp-adam-{config}") for config in RATES]
)


def _build(architecture: Architecture, optimizer: Optimizer, kind: InputKind, config: str, seed: int) -> Learner:
    chosen: dict[str, Any] = {"schedule": RATES[config]} if config in RATES else dict(CONFIGS[config])
    if config == "augmented":
        # Every one that fits; of those that mix, the last, after all that comes before it.
        level = "token" if architecture.levels == {"token"} else "row"
        inputs = small.named(architecture, kind)
        fitting = [
            part
            for part in AUGMENTATIONS
            if level in part.levels and part.model_validate({}).changes(inputs) and not (part.mixes and len(inputs) > 1)
        ]
        chain = [part for part in fitting if not part.mixes] + [part for part in fitting if part.mixes][-1:]
        augment = AugmentedBatches([part.model_validate({}) for part in chain], inputs, SEED)
        chosen["batching"] = {"augment": augment}
    return small.learner(architecture, optimizer, kind, seed=seed, rows=ROWS, steps=STEPS, **chosen)


def _run(
    build: Callable[[int], Learner],
    kind: InputKind,
    folder: Path,
    cuts: Sequence[int] = (),
    spoil: Callable[[Learner], None] | None = None,
    train: Part | Supply | None = None,
    architecture: Architecture | None = None,
) -> tuple[History, list[bytes]]:
    """Train to the end, through a snapshot and a stranger's learner after each step of `cuts`.

    The data is that of `kind`, or of all inputs of `architecture` where it has several.
    """
    learner: Learner = build(SEED)
    language = learner.config.evaluation.summed is not None
    train = train or (small.text(ROWS) if language else small.problem(kind, ROWS))
    val: Part = small.text(7, seed=1) if language else small.problem(kind, 7, seed=1)
    if architecture is not None and len(architecture.inputs) > 1:
        assert isinstance(train, tuple)
        train = small.read(architecture, kind, ROWS), train[1]
        val = small.read(architecture, kind, 7, seed=1), val[1]
    history: History = []
    folder.mkdir(parents=True)
    while learner.state.step < STEPS and not learner.state.stopped:
        at = learner.state.step
        until = next((cut for cut in cuts if cut > at), STEPS)
        if at:
            snapshot.write(snapshot.take(learner), folder / f"step-{at}", {"step": at}, "{}")
            # The new process: another seed, and random numbers drawn that the old one did not draw.
            learner = build(SEED + at)
            torch.rand(at)
            np.random.rand(at)
            random.random()
            snapshot.restore(learner, folder / f"step-{at}")
            if spoil is not None:
                spoil(learner)
        for step in small.timeless(islice(fit(learner, train, val), until - at)):
            history.append((step.number, step.series, step.score, step.improved, step.last))
    snapshot.write(snapshot.take(learner), folder / "final", {}, "{}")
    return history, [(folder / "final" / name).read_bytes() for name in FILES]


@pytest.mark.parametrize(("architecture", "optimizer", "config"), ALL)
def test_a_resume_is_exact(architecture: str, optimizer: Optimizer, config: str, tmp_path: Path) -> None:
    kind = _fitting(architecture)

    def build(seed: int) -> Learner:
        return _build(_architecture(architecture), optimizer, kind, config, seed)

    part = _architecture(architecture)
    history, files = _run(build, kind, tmp_path / "straight", architecture=part)
    assert [number for number, *_ in history] == list(range(1, 13 if config == "everything" else 15))
    everywhere = architecture == "mlp" and optimizer == Adam()
    cuts = range(1, STEPS) if everywhere else CUTS
    again, same = _run(build, kind, tmp_path / "cut", cuts, architecture=part)
    assert again == history
    assert [one == other for one, other in zip(same, files, strict=True)] == [True] * len(FILES)


MOVING = Stream.of(torch.arange(60) * 7 % 9 + 3, 7)
"""The windows of each epoch start elsewhere."""


@pytest.mark.parametrize("kind", ["transformer_lm", "rnn", "neural_ngram"])
def test_a_resume_is_exact_where_windows_move(kind: str, tmp_path: Path) -> None:
    def build(seed: int) -> Learner:
        architecture = ARCHITECTURES[kind].model_validate(SMALLER.get(kind, {}))
        return small.learner(
            architecture, Adam(), "text", language=True, seed=seed, rows=len(MOVING), batch_size=3, steps=STEPS
        )

    straight = _run(build, "text", tmp_path / "straight", train=lambda epoch: MOVING.epoch(SEED, epoch))
    # An epoch has three steps: in the middle of one, at the end of one, and after every step.
    for every in (4, 3, 1):
        folder, cuts = tmp_path / f"every-{every}", range(every, STEPS, every)
        assert _run(build, "text", folder, cuts, train=lambda epoch: MOVING.epoch(SEED, epoch)) == straight
    still = _run(build, "text", tmp_path / "still", train=MOVING.epoch(SEED, 0))
    assert still[0][:3] == straight[0][:3] and still[0][3:] != straight[0][3:]


def test_a_stopped_run_stays_stopped(tmp_path: Path) -> None:
    def build(seed: int) -> Learner:
        stopping = EarlyStopping("val/loss", "min", patience=1, min_delta=1e9)
        return small.learner(
            _architecture("mlp"),
            Adam(),
            "vector",
            seed=seed,
            rows=ROWS,
            steps=STEPS,
            progress={"early_stopping": stopping},
        )

    history, files = _run(build, "vector", tmp_path / "straight")
    assert [number for number, *_ in history] == list(range(1, 9))
    assert _run(build, "vector", tmp_path / "cut", (5,)) == (history, files)
    stopped = build(1)
    snapshot.restore(stopped, tmp_path / "straight" / "final")
    assert list(fit(stopped, small.problem("vector"), small.problem("vector", 7))) == []


def _forget_average(learner: Learner) -> None:
    assert learner.average is not None
    learner.average = {name: value.clone() for name, value in learner.model.state_dict().items()}


def _forget_state(learner: Learner) -> None:
    learner.state = LoopState(step=learner.state.step)


def _forget_falls(learner: Learner) -> None:
    learner.state.rate_scale = 1.0


def _forget_plateau(learner: Learner) -> None:
    learner.state.plateau_best = None


def _forget_epochs(learner: Learner) -> None:
    learner.state.averaged = 0


def _forget_equal_average(learner: Learner) -> None:
    learner.average = None


def _forget_weights(learner: Learner) -> None:
    for parameter in learner.model.parameters():
        torch.nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(1))


SPOILS: dict[str, Callable[[Learner], Any]] = {
    "the weights": _forget_weights,
    "the optimizer's state": lambda learner: learner.optimizer.state.clear(),
    "the seed": lambda learner: setattr(learner.random, "seed", 1),
    "the state": _forget_state,
    "the average": _forget_average,
}


@pytest.mark.parametrize("forgotten", SPOILS)
def test_whatever_a_restore_forgets_is_noticed(forgotten: str, tmp_path: Path) -> None:
    def build(seed: int) -> Learner:
        return _build(_architecture("mlp"), Adam(lr=0.01), "vector", "everything", seed)

    straight = _run(build, "vector", tmp_path / "straight")
    assert _run(build, "vector", tmp_path / "cut", (8,)) == straight
    history, files = _run(build, "vector", tmp_path / "spoiled", (8,), SPOILS[forgotten])
    assert files != straight[1] and history != straight[0]


IN_CONFIG: dict[str, tuple[str, Callable[[Learner], Any]]] = {
    "the falls of the rate": ("falling", _forget_falls),
    "the best before a fall": ("falling", _forget_plateau),
    "the equal average": ("averaging", _forget_equal_average),
    "how many epochs are in it": ("averaging", _forget_epochs),
}
"""What only some configurations remember."""


@pytest.mark.parametrize("forgotten", IN_CONFIG)
def test_whatever_a_configuration_alone_remembers_is_noticed(forgotten: str, tmp_path: Path) -> None:
    config, spoil = IN_CONFIG[forgotten]

    def build(seed: int) -> Learner:
        return _build(_architecture("mlp"), Adam(lr=0.01), "vector", config, seed)

    straight, _ = _run(build, "vector", tmp_path / "straight")
    assert _run(build, "vector", tmp_path / "cut", (9,))[0] == straight
    assert _run(build, "vector", tmp_path / "spoiled", (9,), spoil)[0] != straight


SCRIPT = """
import sys
from pathlib import Path
from tests.worker.test_resume import _digests

print(_digests(Path(sys.argv[1])))
"""


def _digests(folder: Path) -> str:
    """What four trainings end with, a line for each."""
    lines = []
    for kind in ("mlp", "cnn", "textcnn", "transformer"):
        _, files = _run(_everything(kind), _fitting(kind), folder / kind)
        lines.append(" ".join([kind, *(hashlib.sha256(file).hexdigest() for file in files)]))
    return "\n".join(lines)


def _everything(kind: str) -> Callable[[int], Learner]:
    return lambda seed: _build(_architecture(kind), Adam(), _fitting(kind), "everything", seed)


def test_two_processes_make_the_same_bytes(tmp_path: Path) -> None:
    """This one, after whatever tests it has run, and a new one whose sets have another order."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "other")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "5"},
        capture_output=True,
        text=True,
        check=True,
    )
    here = _digests(tmp_path / "here")
    assert ran.stdout.strip() == here
    assert len(here.splitlines()) == 4
