"""Batches made ahead in other processes are the same batches."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import psutil
import pytest
import torch

from models.parts.architectures.cnn import CNN
from models.parts.augmentations.noise import Noise
from models.parts.augmentations.shift import Shift
from models.parts.inputs import ONLY
from models.parts.optimizers.adam import Adam
from tests import small
from worker.training import snapshot
from worker.training.batch import AugmentedBatches
from worker.training.learner import Learner
from worker.training.loader import Batches, Batching, load, order
from worker.training.loop import fit

ROWS, BATCH, EPOCH, SEED, STEPS = 11, 4, 3, 7, 14
FILES = ("weights.safetensors", "state.safetensors", "state.json")


def _learner(workers: int) -> Learner:
    architecture = CNN(channels=[3], hidden=[5], dropout=0.4)
    views = AugmentedBatches([Shift(), Noise()], {ONLY: small.shape(architecture, "image")}, SEED)
    batching = {"augment": views, "workers": workers}
    return small.learner(architecture, Adam(), "image", seed=SEED, rows=ROWS, steps=STEPS, batching=batching, ema=0.9)


def _run(folder: Path, workers: list[int]) -> tuple[list[object], list[bytes]]:
    """Train to the end, a learner after another, each cut after five steps and with as many workers as named."""
    history: list[object] = []
    folder.mkdir()
    for number, each in enumerate(workers):
        learner = _learner(each)
        if number:
            torch.rand(number)
            snapshot.restore(learner, folder / f"cut-{number - 1}")
        part = *small.problem("image", ROWS), torch.linspace(0, 2, ROWS)
        left = fit(learner, part, small.problem("image", 7, seed=1))
        most = 5 if number + 1 < len(workers) else STEPS
        history += [(step.number, step.series) for step in small.timeless(islice(left, most))]
        snapshot.write(snapshot.take(learner), folder / f"cut-{number}", {}, "{}")
    return history, [(folder / f"cut-{len(workers) - 1}" / name).read_bytes() for name in FILES]


@pytest.mark.parametrize("workers", [[2], [3], [0, 2, 3], [3, 0, 2]])
def test_any_number_of_processes_makes_the_same_bytes(workers: list[int], tmp_path: Path) -> None:
    assert _run(tmp_path / "one", workers) == _run(tmp_path / "none", [0])


def test_weights_go_with_their_rows() -> None:
    rows_N = torch.arange(ROWS)
    batching = Batching(steps=EPOCH, steps_per_epoch=EPOCH, batch_size=BATCH, seed=SEED, workers=2)
    for workers in (0, 2):
        loaded = list(load(Batches((rows_N[:, None], rows_N, rows_N / 10), replace(batching, workers=workers)), 0))
        assert sum(len(batch) for batch in loaded) == ROWS
        assert all(batch.w is not None and torch.equal(batch.w, batch.t / 10) for batch in loaded)


def test_an_epoch_s_rows_may_change() -> None:
    def supply(epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.arange(ROWS) + 100 * epoch, torch.arange(ROWS)

    def made(workers: int) -> Iterator[list[int]]:
        for batch in load(Batches(supply, Batching(7, EPOCH, BATCH, SEED, workers=workers)), 2):
            yield small.single(batch.x).tolist()

    expected = [
        (order(SEED, epoch, ROWS) + 100 * epoch)[place * BATCH : (place + 1) * BATCH].tolist()
        for epoch, place in (divmod(step, EPOCH) for step in range(2, 7))
    ]
    assert list(made(0)) == list(made(2)) == expected


def test_a_process_that_dies_at_birth_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before PyTorch has written down whose deaths it wants to hear of."""

    def strike_first(loader: int, pids: tuple[int, ...]) -> None:
        born = psutil.Process(pids[0])
        born.kill()
        while born.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        torch._C._set_worker_pids(loader, pids)

    monkeypatch.setattr("torch.utils.data._utils.signal_handling._set_worker_pids", strike_first)
    part = (torch.randn(ROWS, 2), torch.zeros(ROWS, dtype=torch.long))
    batches = Batches(part, Batching(STEPS, EPOCH, BATCH, SEED, workers=2))
    began = time.monotonic()
    with pytest.raises(RuntimeError, match=r"^DataLoader worker .* exited unexpectedly"):
        list(load(batches, 0))
    assert time.monotonic() - began < 60


DEADLY = """
import os, signal, sys, time
import torch
from worker.training import loader

class Deadly(loader.Batches):
    def __getitem__(self, step):
        frame = sys._getframe()
        while step == 6 and "done_event" not in frame.f_locals:
            frame = frame.f_back
        if step == 6:
            frame.f_locals["done_event"]._cond.acquire()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(step)

loader.STUCK = 1.0
batching = loader.Batching(steps=40, steps_per_epoch=16, batch_size=4, seed=0, workers=2)
batches = Deadly((torch.randn(64, 2), torch.zeros(64, dtype=torch.long)), batching)
for _ in loader.load(batches, 0):
    time.sleep(float(sys.argv[1]))
"""


@pytest.mark.parametrize("step", ["0", "0.3"], ids=["waiting for a batch", "learning from one"])
def test_a_process_that_dies_with_a_lock_keeps_nobody(step: str) -> None:
    """PyTorch asks an event of all processes whether they are done, once for each batch, and to end them."""
    trainer = subprocess.Popen(
        [sys.executable, "-c", DEADLY, step], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert trainer.stdout is not None
        assert trainer.stdout.readline() == "a data worker died while it held a lock of the loader; the trainer exits\n"
        assert trainer.wait(60) == 1
    finally:
        os.killpg(trainer.pid, signal.SIGKILL)
        trainer.communicate()


def test_no_process_outlives_its_loader() -> None:
    others = {child.pid for child in psutil.Process().children()}
    made = load(Batches((torch.arange(5000), torch.arange(5000)), Batching(5000, 5000, 1, SEED, workers=2)), 0)
    next(made)
    workers = [child for child in psutil.Process().children() if child.pid not in others]
    assert len(workers) == 2
    del made
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
