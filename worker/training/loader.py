"""Batches in order. Each depends only on the seed and its step.

So they can be made here or ahead of time, in any number of processes, and a resume asks for those that are left.

Shape letters: N rows of the training part, B rows of a batch.
"""

import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Any

import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from models.nn.named_tensors import NetworkInput, map_tensors, tensors
from worker.training.batch import Batch

Part = tuple[NetworkInput, torch.Tensor]
"""Inputs x_N… and targets t_N."""

Supply = Callable[[int], Part]
"""The training part of each epoch, by its number: always as many rows, and a function of nothing else."""

Augment = Callable[[NetworkInput, torch.Tensor, torch.Tensor, int], Batch]
"""From inputs and targets of the training part, the numbers of a batch's rows, and the epoch."""

STUCK = 30.0
"""Seconds, for each of its processes, in which a loader ends once one of them is gone: it waits for them in turn."""

Sent = tuple[list[str] | None, list[npt.NDArray[Any] | None]]
"""Names of the inputs, where there are several, and the arrays of a batch: targets, partners, shares, inputs."""


@dataclass(frozen=True)
class Batching:
    """How the training part becomes batches, and how many."""

    steps: int
    steps_per_epoch: int
    batch_size: int
    """Rows of a batch of training; those of evaluation are no larger."""
    seed: int
    augment: Augment | None = None
    workers: int = 0
    """Processes that make batches ahead. The bytes are the same with any number."""


@dataclass
class Batches(Dataset[Batch]):
    """Every batch of a training, by the number of the step that learns from it, from 0."""

    train: Part | Supply
    batching: Batching
    _epoch: int = field(default=-1, init=False)

    def __getitem__(self, step: int) -> Batch:
        batching = self.batching
        epoch, place = divmod(step, batching.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._x_N, self._t_N = self.train(epoch) if callable(self.train) else self.train
            self._order_N = order(batching.seed, epoch, len(self._t_N)).to(self._t_N.device)
        rows_B = self._order_N[place * batching.batch_size : (place + 1) * batching.batch_size]
        if batching.augment is None:
            x_B = map_tensors(lambda x_N: x_N.index_select(0, rows_B), self._x_N)
            return Batch(x_B, self._t_N.index_select(0, rows_B))
        return batching.augment(self._x_N, self._t_N, rows_B, epoch)


def order(seed: int, epoch: int, rows: int) -> torch.Tensor:
    """The order of an epoch: a function of seed and epoch alone, so that a resume needs no memory of it."""
    generator = torch.Generator().manual_seed((seed << 24) + epoch)
    return torch.randperm(rows, generator=generator)


@dataclass
class _Sent(Dataset[Sent]):
    """Batches as they go through a pipe: of a tensor only a handle would, to memory that someone has to let go of."""

    batches: Batches

    def __getitem__(self, step: int) -> Sent:
        batch = self.batches[step]
        columns = (batch.t, batch.other, batch.share, *tensors(batch.x))
        names = list(batch.x) if isinstance(batch.x, dict) else None
        return names, [None if column is None else column.numpy() for column in columns]


def load(batches: Batches, start: int) -> Iterator[Batch]:
    """The batches from that of step `start`, counted from 0, to the last, made here or by processes beside this one."""
    steps, workers = range(start, batches.batching.steps), batches.batching.workers
    if workers == 0:
        for step in steps:
            yield batches[step]
        return
    with warnings.catch_warnings():
        # The user may ask for more processes than processors; this only changes the time.
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        loaded: Any = iter(
            DataLoader(
                _Sent(batches),
                batch_size=None,
                collate_fn=_unchanged,
                sampler=steps,
                num_workers=workers,
                # Forked: the rows are shared and not copied, and an epoch's supply need not be picklable.
                multiprocessing_context="fork",
                # With a time-out, a process that died before the loader knew its number would be missed until then; a
                # batch that never comes is for the supervisor to notice.
                timeout=0,
                worker_init_fn=_ignore_stop,
                # Else the loader would draw from the generator of the dropout, and a resume would have drawn once more.
                generator=torch.Generator(),
            )
        )
    over = threading.Event()
    threading.Thread(
        target=_exit_if_stuck, args=([each.sentinel for each in loaded._workers], over), daemon=True
    ).start()
    try:
        for names, sent in loaded:
            # Copied to where PyTorch puts its own tensors: some kernels give other bits at other alignments.
            columns = (None if column is None else torch.from_numpy(column).clone() for column in sent)
            t_B, other_B, share_B, *x_B = columns
            assert t_B is not None
            inputs = [column for column in x_B if column is not None]
            yield Batch(dict(zip(names, inputs, strict=True)) if names else inputs[0], t_B, other_B, share_B)
    finally:
        # The loader's own end first: it is not over before that. By name: the traceback of an error that came from the
        # loader holds on to it, and it would end only with that, when nobody watches it any longer.
        loaded._shutdown_workers()
        over.set()


def _exit_if_stuck(processes: list[int], over: threading.Event) -> None:
    """End this process where a loader outlives one of its own: the dead may hold a lock that all wait for, for ever."""
    connection.wait(processes)
    if not over.wait(STUCK * len(processes)):
        print("a process that made batches died, and took a lock with it", flush=True)
        os._exit(1)


def _ignore_stop(_: int) -> None:
    """As the trainer does; PyTorch has set a handler for it since."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _unchanged(sent: Any) -> Any:
    return sent
